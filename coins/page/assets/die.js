// A die with 256 faces, one for each first byte that a hash can have. The gold one is zero.
import { byId, mayMove } from './dom.js';

const FACES = 16;
/** How much of a face's light is left after each frame. */
const FADING = 0.93;

const canvas = byId('die');
const context = canvas.getContext('2d');
const light = new Float32Array(FACES * FACES);
let frame = 0;
let colours = {};

function readColours() {
  const style = getComputedStyle(canvas);
  colours = {
    dark: style.getPropertyValue('--face').trim(),
    lit: style.getPropertyValue('--lit').trim(),
    gold: style.getPropertyValue('--zero').trim(),
  };
}

function draw() {
  const size = canvas.width / FACES;
  context.clearRect(0, 0, canvas.width, canvas.height);
  let isLit = false;
  light.forEach((strength, byte) => {
    const [x, y] = [(byte % FACES) * size, Math.floor(byte / FACES) * size];
    const face = (colour, alpha) => {
      context.globalAlpha = alpha;
      context.fillStyle = colour;
      context.beginPath();
      context.roundRect(x + size * 0.12, y + size * 0.12, size * 0.76, size * 0.76, size * 0.2);
      context.fill();
    };
    face(byte === 0 ? colours.gold : colours.dark, byte === 0 ? 0.35 : 1);
    if (strength > 0.02) {
      face(byte === 0 ? colours.gold : colours.lit, strength);
      isLit = true;
      light[byte] = strength * (byte === 0 ? 0.985 : FADING);
    }
  });
  context.globalAlpha = 1;
  frame = isLit ? requestAnimationFrame(draw) : 0;
}

/** Lights the faces of some hashes. Where nothing is to flicker, only the gold one is lit. */
export function lightUp(bytes) {
  for (const byte of bytes) if (byte === 0 || mayMove()) light[byte] = 1;
  if (!frame) frame = requestAnimationFrame(draw);
}

/** Makes it as sharp as the screen is, in the colours of the page. */
export function prepare() {
  const sharp = Math.min(window.devicePixelRatio || 1, 3);
  canvas.width = canvas.height = 176 * sharp;
  readColours();
  draw();
}
document.addEventListener('theme', prepare);
