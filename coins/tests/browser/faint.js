// The texts whose contrast with what is behind them is below 4.5 to 1.
const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data;
};
const over = (front, back) => [0, 1, 2].map((i) => (front[i] * front[3] + back[i] * (255 - front[3])) / 255);
const behind = (element) => {
  const chain = [];
  for (let it = element; it; it = it.parentElement) chain.unshift(rgba(getComputedStyle(it).backgroundColor));
  return chain.reduce((back, front) => over(front, back), [255, 255, 255]);
};
const light = (colour) => {
  const [r, g, b] = colour.map((it) => it / 255).map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = [];
for (const element of document.querySelectorAll('body *')) {
  const hasText = Array.from(element.childNodes).some((it) => it.nodeType === Node.TEXT_NODE && it.data.trim());
  // What is painted in a gradient has a text on it that was chosen for it; what cannot be used may be faint.
  if (!hasText || element.matches(':disabled, option, noscript, .primary') || element.closest('noscript')) continue;
  const back = behind(element);
  const front = over(rgba(getComputedStyle(element).color), back);
  const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
  const contrast = (high + 0.05) / (low + 0.05);
  if (contrast < 4.5) faint.push(`${element.textContent.trim().slice(0, 30)}: ${contrast.toFixed(2)}`);
}
return faint;
