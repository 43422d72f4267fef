import { Connection, element } from "./connection.js";

const $ = (id) => document.getElementById(id);
const room = decodeURIComponent(location.pathname.split("/").pop());
const mostLines = 500;

let after = 0; // the sequence number of the last remark that is here
const unsaid = new Map(); // by tag: what was said and has not come back

$("name").value = localStorage.getItem("name") ?? "";

const connection = new Connection(
  () => `/r/${encodeURIComponent(room)}/ws?${new URLSearchParams({ name: $("name").value, after })}`,
  { message: (event, node) => handlers[event.type]?.(event, node), state: showState },
);

const handlers = {
  said({ seq, said }) {
    after = seq;
    unsaid.get(said.tag)?.remove();
    unsaid.delete(said.tag);
    keepBottom(() => $("log").insertBefore(line(said), $("log").querySelector(".pending")));
    if ($("log").childElementCount > mostLines) $("log").firstElementChild.remove();
  },
  // All that was said before is here. What is still missing of ours was lost with a node: it is said again.
  welcome({ node, nodes }, url) {
    connection.joined(nodes);
    showState("online", url, node);
    for (const [tag, pending] of unsaid) connection.send({ type: "say", text: pending.dataset.text, tag });
  },
  here({ count = 0, here = {} }) {
    $("here").replaceChildren(
      element("h2", "", `${count} here`),
      ...Object.entries(here).sort().map(([node, names]) => element("section", "", element("h3", "", `node ${node}`), ...names.map((name) => element("span", "person", name)))),
    );
  },
};

function showState(state, url, node) {
  document.documentElement.dataset.state = state;
  $("state").textContent = state === "online" ? `at node ${node}` : state === "lost" ? `${new URL(url).host} is lost` : `trying ${new URL(url).host}`;
}

function line({ from, text, at }) {
  return element("li", "", element("b", "", from), " ", element("span", "text", text), element("time", "", new Date(at).toLocaleTimeString()));
}

function keepBottom(change) {
  const log = $("log");
  const bottom = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  change();
  if (bottom) log.scrollTop = log.scrollHeight;
}

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  // crypto.randomUUID is for secure pages only.
  const tag = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
  const pending = line({ from: $("name").value || "Guest", text, at: Date.now() });
  pending.className = "pending";
  pending.dataset.text = text;
  unsaid.set(tag, pending);
  keepBottom(() => $("log").append(pending));
  connection.send({ type: "say", text, tag });
};

// A node knows the name with which somebody comes, so a new one needs a new connection.
$("name").onchange = () => {
  localStorage.setItem("name", $("name").value);
  connection.again();
};

$("room").textContent = document.title = room;
