// A Connection keeps a WebSocket open. When it is lost it is opened again, after
// a delay that doubles from time to time up to a limit, and of which up to half is
// cut at random: so the pages of a server that went away do not all come back in
// the same instant.

const firstDelay = 500;
const longestDelay = 30_000;
const settled = 10_000; // a connection that lasted so long starts the delays anew

export class Connection {
  #url;
  #on;
  #socket = null;
  #opened = 0;
  #failures = 0;
  #timer = 0;

  // url() gives the URL of the next attempt. on.message(value) gets what the
  // server sends; on.state(state, until) gets "connecting", "online" or
  // "offline", and for the last when the next attempt will be.
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    // The network is back, or somebody looks at the page again: no waiting.
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.retry());
  }

  // retry ends the waiting for the next attempt.
  retry() {
    if (this.#timer) this.open();
  }

  open() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#on.state("connecting");
    const socket = new WebSocket(this.#url());
    this.#socket = socket;
    this.#opened = Infinity;
    socket.onopen = () => {
      this.#opened = performance.now();
      this.#on.state("online");
    };
    socket.onmessage = (event) => this.#on.message(JSON.parse(event.data));
    // An error is always followed by a close, which is all there is to know.
    socket.onclose = () => this.#lost();
  }

  #lost() {
    this.#socket = null;
    if (performance.now() - this.#opened > settled) this.#failures = 0;
    const delay = Math.min(firstDelay * 2 ** this.#failures++, longestDelay);
    const jittered = delay * (1 - Math.random() / 2);
    this.#timer = setTimeout(() => this.open(), jittered);
    this.#on.state("offline", Date.now() + jittered);
  }

  // send reports whether value went out; if so it may still be lost with the
  // connection.
  send(value) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(value));
    return true;
  }
}
