import { Connection, element } from "./connection.js";

const silent = 3_500; // after so many ms a node is probably gone
const forgotten = 60_000; // after so many it is not shown any more

const nodes = new Map(); // by name: the last beat, when it came, and the one before

const connection = new Connection(() => "/cluster/ws", {
  message(beat, url) {
    const before = nodes.get(beat.node);
    nodes.set(beat.node, { ...before, ...beat, heard: performance.now(), before });
    connection.joined(beat.gone ? [] : [beat.url]);
    showState("online", url);
    show();
  },
  state: showState,
});

function showState(state, url) {
  document.documentElement.dataset.state = state;
  document.getElementById("state").textContent = `${state === "online" ? "seen from" : state} ${new URL(url).host}`;
}

const number = (n) => Math.round(n).toLocaleString("en");

function figures(list) {
  return list.flatMap(([name, value, title, bad]) => {
    const dt = element("dt", "", name);
    dt.title = title;
    return [dt, element("dd", bad ? "bad" : "", value)];
  });
}

// perSecond is how much a figure has grown since the beat before.
function perSecond(node, figure) {
  if (!node.before || state(node)) return 0;
  return Math.max(0, (node.figures[figure] - node.before.figures[figure]) / ((node.heard - node.before.heard) / 1000));
}

function state(node) {
  if (node.gone) return "stopped";
  const ms = performance.now() - node.heard;
  return ms > silent ? `silent for ${Math.round(ms / 1000)} s` : "";
}

function dropped(sum) {
  return [
    ["closed as slow", number(sum("slow")), "members who had no room for a remark: closed with 1013, they come back and go on in the history", sum("slow") > 0],
    ["dropped", number(sum("dropped")), "remarks that waited for those, or for members that were lost: they get them from the history", sum("dropped") > 0],
    ["replaced", number(sum("replaced")), "news of who is here that a slow member had not taken before there were newer ones", sum("replaced") > 0],
  ];
}

function person({ name, waiting, replaced }) {
  const e = element("span", waiting ? "person slow" : "person", name);
  if (waiting) e.append(` ${number(waiting)} wait`);
  if (replaced) e.append(` ${number(replaced)} replaced`);
  return e;
}

function room({ room, count, people, figures: { sent } }) {
  const more = count - (people ?? []).length;
  const title = element("h3", "", `# ${room} `, element("small", "", `${number(count)} here, ${number(sent)} sent`));
  return element("section", "", title, ...(people ?? []).map(person), more > 0 ? element("small", "", ` and ${number(more)} more`) : "");
}

function card(node) {
  const link = element("a", "", node.url);
  link.href = `${node.url}/r/lobby`;
  const now = state(node);
  return element("article", now ? "lost" : "",
    element("h2", "", node.node, " ", element("small", "", now || link)),
    element("dl", "figures", ...figures([
      ["clients", number(node.clients), "WebSockets on this node"],
      ["deliveries/s", number(perSecond(node, "sent")), "remarks sent, to all members"],
      ["remarks/s", number(perSecond(node, "messages")), "that came from the stream"],
      ...dropped((figure) => node.figures[figure]),
    ])),
    ...(node.rooms ?? []).slice(0, 10).map(room));
}

function show() {
  for (const [name, node] of nodes) if (performance.now() - node.heard > forgotten) nodes.delete(name);
  for (const node of nodes.values()) if (node.before) node.before.before = null;
  const all = [...nodes.values()].filter((node) => node.figures).sort((a, b) => (a.node < b.node ? -1 : 1));
  const alive = all.filter((node) => !state(node));
  const sum = (f) => alive.reduce((total, node) => total + f(node), 0);
  document.getElementById("total").replaceChildren(...figures([
    ["nodes", `${alive.length} of ${all.length}`, "that were heard in the last seconds", alive.length < all.length],
    ["clients", number(sum((node) => node.clients)), "WebSockets on all nodes"],
    ["deliveries/s", number(sum((node) => perSecond(node, "sent"))), "remarks sent, to all members on all nodes"],
    ...dropped((figure) => sum((node) => node.figures[figure])),
  ]));
  document.getElementById("nodes").replaceChildren(...all.map(card));
}

setInterval(show, 1000); // silence comes without a message
