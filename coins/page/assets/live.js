// The live log: server-sent events, from a position on, through any number of disconnections.
import { parse } from './json.js';

const TYPES = ['CoinMined', 'CoinsSent', 'CoinsReceived'];

/** How long events gather before they are shown together, in milliseconds. */
const GATHER = 40;

/** How long to wait before the stream is opened anew, in milliseconds. The browser itself waits for some seconds. */
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 2000;

/** After how much silence the stream is opened anew, in milliseconds: the service says every 15 seconds that it is there, and
 * three times may be missed. A connection whose other end has vanished looks like one on which nothing happens. */
const SILENCE = 50_000;

export class Live {
  #source = null;
  #position = 0;
  #gathered = [];
  #pause = FIRST_PAUSE;
  #timer = 0;
  #isOpen = false;
  #listeners = new Set();
  #onState;

  /** `onState` hears `connecting`, `live` and `lost`. */
  constructor(onState) {
    this.#onState = onState;
    // A browser has six connections to a service, and streams of pages that nobody sees would take them from those that
    // somebody does.
    document.addEventListener('visibilitychange', () => {
      if (!this.#isOpen) return;
      if (document.hidden) this.#close();
      else this.#connect();
    });
  }

  /** The position of the last event that came. */
  get position() {
    return this.#position;
  }

  /** Calls with events, old to new, some at a time. */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** Begins behind a position. */
  open(position) {
    this.#position = position;
    this.#isOpen = true;
    if (!document.hidden) this.#connect();
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#onState('lost');
  }

  /** Opens the stream anew after some silence. */
  #listenOn() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#onState('lost');
      this.#connect();
    }, SILENCE);
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const source = new EventSource(`/api/events?after=${this.#position}`);
    this.#source = source;
    this.#listenOn();
    source.onopen = () => {
      this.#listenOn();
      this.#pause = FIRST_PAUSE;
      this.#onState('live');
    };
    source.onerror = () => {
      this.#close();
      this.#timer = setTimeout(() => this.#connect(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    };
    source.addEventListener('ping', () => this.#listenOn());
    for (const type of TYPES) {
      source.addEventListener(type, ({ data }) => {
        this.#listenOn();
        this.#take(parse(data));
      });
    }
  }

  #take(event) {
    // What is sent again after a reconnection was seen already.
    if (Number(event.position) <= this.#position) return;
    this.#position = Number(event.position);
    if (this.#gathered.length === 0) setTimeout(() => this.#tell(), GATHER);
    this.#gathered.push(event);
  }

  #tell() {
    const events = this.#gathered;
    this.#gathered = [];
    for (const listener of this.#listeners) listener(events);
  }
}
