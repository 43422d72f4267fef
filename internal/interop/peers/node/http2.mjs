// WebSockets over Node's http2 (RFC 8441). Frames are those of ws, on a stream of HTTP/2 in place of a socket.
import { connect, createSecureServer, createServer } from "node:http2";
import { readFileSync } from "node:fs";
import { PerMessageDeflate, WebSocket, extension } from "ws";

const name = PerMessageDeflate.extensionName;

// take makes a WebSocket of a stream.
function take(stream, isServer, deflate) {
  const ws = new WebSocket(null, undefined, { autoPong: true, closeTimeout: 30_000 }); // what its constructors would say
  ws._isServer = isServer;
  if (deflate) ws._extensions[name] = deflate;
  ws.setSocket(stream, Buffer.alloc(0), { maxPayload: 0 });
  return ws;
}

// listen starts a server. It calls listening with its port, and opened with each WebSocket, the answer's extensions, and the
// port of its connection. With reset, it does not wait for the client's end of a stream when it has ended its own.
export function listen({ tls, reset }, options, { listening, opened, refused }) {
  const settings = { enableConnectProtocol: true };
  const server = tls
    ? createSecureServer({ settings, cert: readFileSync(tls.cert), key: readFileSync(tls.key) })
    : createServer({ settings });
  const sessions = new Set();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    if (reset) stream.on("finish", () => stream.close());
    const wrong =
      headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket" || headers["sec-websocket-version"] !== "13";
    if (wrong) {
      refused(new Error(`it is no WebSocket: ${JSON.stringify(headers)}`));
      stream.respond({ ":status": 400 }, { endStream: true });
      return;
    }
    let deflate;
    const answer = { ":status": 200 };
    const offered = headers["sec-websocket-extensions"];
    const offers = offered && extension.parse(offered)[name];
    if (options && offers) {
      deflate = new PerMessageDeflate({ ...options, isServer: true });
      deflate.accept(offers);
      answer["sec-websocket-extensions"] = extension.format({ [name]: [deflate.params] });
    }
    stream.respond(answer);
    opened(take(stream, true, deflate), answer["sec-websocket-extensions"] ?? "", stream.session.socket.remotePort);
  });
  server.listen(0, "127.0.0.1", () => listening(server.address().port));
  return sessions;
}

// The sessions, by URL: all WebSockets to a server share one.
const sessions = new Map();

function session(url, tls) {
  let s = sessions.get(url);
  if (!s || s.closed || s.destroyed) {
    s = connect(url, tls ? { ca: readFileSync(tls.cert) } : {});
    s.ready = new Promise((done, failed) => {
      s.on("remoteSettings", (settings) =>
        settings.enableConnectProtocol ? done() : failed(new Error("the server does not support extended CONNECT")));
      s.on("error", failed);
    });
    sessions.set(url, s);
  }
  return s;
}

// dial opens a WebSocket, and calls opened or refused.
export async function dial({ url, tls }, options, { opened, refused }) {
  url = url.replace(/^ws/, "http");
  try {
    const s = session(url, tls);
    await s.ready;
    const headers = { ":method": "CONNECT", ":protocol": "websocket", ":path": "/", "sec-websocket-version": "13" };
    let deflate;
    if (options) {
      deflate = new PerMessageDeflate({ ...options, isServer: false });
      headers["sec-websocket-extensions"] = extension.format({ [name]: deflate.offer() });
    }
    const stream = s.request(headers);
    stream.on("error", refused);
    stream.on("response", (answer) => {
      stream.off("error", refused);
      if (answer[":status"] !== 200) {
        refused(new Error(`the answer is ${answer[":status"]}`));
        stream.close();
        return;
      }
      const extensions = answer["sec-websocket-extensions"] ?? "";
      if (extensions) deflate.accept(extension.parse(extensions)[name]);
      opened(take(stream, false, extensions && deflate), extensions, s.socket.localPort);
    });
  } catch (err) {
    refused(err);
  }
}
