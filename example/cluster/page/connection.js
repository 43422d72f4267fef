// A Connection is a WebSocket to one of the nodes, and to any other one when it is lost. Before each attempt it waits, twice as long
// as the last time, and up to half less at random: so those who lost a node do not all come to the same one in the same instant.

const firstDelay = 200;
const longestDelay = 5_000;

export class Connection {
  #path;
  #on;
  #nodes = [location.origin];
  #node = location.origin;
  #failures = 0;
  #socket = null;

  // path() gives the path of the next WebSocket. on.message(event) gets what comes; on.state(state, node) is told "connecting" or "lost".
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    this.#open();
  }

  // joined says that the node is a good one, and which others there are.
  joined(nodes) {
    this.#failures = 0;
    for (const node of nodes) if (!this.#nodes.includes(node)) this.#nodes.push(node);
  }

  // send sends value, which may be lost with the connection.
  send(value) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(value));
  }

  // again gives the connection up for another one.
  again() {
    this.#socket.close();
  }

  #open() {
    const node = this.#node;
    this.#on.state("connecting", node);
    this.#socket = new WebSocket(node.replace("http", "ws") + this.#path());
    this.#socket.onmessage = (message) => this.#on.message(JSON.parse(message.data), node);
    this.#socket.onclose = () => {
      this.#on.state("lost", node);
      const others = this.#nodes.filter((other) => other !== node);
      if (others.length > 0) this.#node = others[Math.floor(Math.random() * others.length)];
      const delay = Math.min(firstDelay * 2 ** this.#failures++, longestDelay);
      setTimeout(() => this.#open(), delay * (1 - Math.random() / 2));
    };
  }
}

// element makes an element. What others wrote becomes text in it, and never HTML.
export function element(tag, className, ...children) {
  const e = document.createElement(tag);
  e.className = className;
  e.append(...children);
  return e;
}
