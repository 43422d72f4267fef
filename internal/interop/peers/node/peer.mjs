// A peer for the tests: Node's ws. Lines of JSON on stdin tell it what to do,
// lines of JSON on stdout say what happened. It echoes every message. What it is
// told to do it does on the WebSocket that was opened last. When stdin ends, it ends.
import { createInterface } from "node:readline";
import { WebSocket, WebSocketServer } from "ws";
import * as http2 from "./http2.mjs";

const say = (event, fields) => process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");

let current;

// The parameters come under the names of RFC 7692; ws spells them its own way.
function deflate(params) {
  if (!params) return false;
  return {
    threshold: 0,
    serverNoContextTakeover: params.server_no_context_takeover,
    clientNoContextTakeover: params.client_no_context_takeover,
    serverMaxWindowBits: params.server_max_window_bits,
    clientMaxWindowBits: params.client_max_window_bits,
  };
}

function attend(ws, extensions, connection) {
  current = ws;
  let error = "";
  ws.on("message", (data, binary) => ws.send(data, { binary }));
  ws.on("ping", (data) => say("ping", { payload: data.toString() }));
  ws.on("pong", (data) => say("pong", { payload: data.toString() }));
  ws.on("error", (err) => (error = err.message));
  ws.on("close", (code, reason) => say("closed", { code, reason: reason.toString(), error }));
  say("open", { extensions, connection });
}

// lingering has a client end its half of the TCP connection behind the server's (RFC 6455 section 7.1.1), and not with its Close
// frame, as ws does: a proxy may take the end for the loss of the connection, and drop the frame.
function lingering(socket) {
  const end = socket.end;
  socket.end = (...args) => (socket.readableEnded ? end.apply(socket, args) : socket);
}

const refused = (err) => say("refused", { error: err.message });

// The connections of an HTTP/2 server.
let sessions;

const deeds = {
  listen(order) {
    if (order.http2) {
      sessions = http2.listen(order, deflate(order.deflate), {
        listening: (port) => say("listening", { port }),
        opened: attend,
        refused,
      });
      return;
    }
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      perMessageDeflate: deflate(order.deflate),
    });
    server.on("listening", () => say("listening", { port: server.address().port }));
    server.on("connection", (ws) => attend(ws, ws.extensions));
  },
  dial(order) {
    if (order.http2) {
      http2.dial(order, deflate(order.deflate), { opened: attend, refused });
      return;
    }
    const ws = new WebSocket(order.url, { perMessageDeflate: deflate(order.deflate) });
    let extensions = "";
    ws.on("upgrade", (response) => (extensions = response.headers["sec-websocket-extensions"] ?? ""));
    ws.on("error", refused);
    ws.on("open", () => {
      ws.off("error", refused);
      if (order.linger) lingering(ws._socket);
      attend(ws, extensions);
    });
  },
  fragments({ pieces }) {
    pieces.forEach((piece, i) => current.send(piece, { fin: i === pieces.length - 1 }));
  },
  ping({ payload }) {
    current.ping(payload);
  },
  // With the code 0, the Close frame is empty.
  close({ code, reason }) {
    current.close(code || undefined, reason);
  },
  // Without a Close frame.
  lose() {
    current.terminate();
  },
  // The server's connections take no more WebSockets, and end when the last is closed.
  goaway() {
    for (const session of sessions) session.close();
    say("away");
  },
  // They end at once.
  disconnect() {
    for (const session of sessions) session.destroy();
  },
};

const orders = createInterface({ input: process.stdin });
orders.on("line", (line) => {
  const order = JSON.parse(line);
  deeds[order.do](order);
});
orders.on("close", () => process.exit(0));
