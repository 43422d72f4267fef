import { Connection } from "./connection.js";

const $ = (id) => document.getElementById(id);
const room = decodeURIComponent(location.pathname.split("/").pop());
const mostLines = 500; // lines of the log that are kept

let me = null; // the person that the server takes us for
const people = new Map(); // who is here, by id
const unreceipted = new Map(); // by tag: lines of ours that the server has not confirmed yet
let unseen = 0; // remarks that came while the page was hidden

// ---- The connection ----

const connection = new Connection(
  () => {
    const url = new URL(`${location.pathname}/ws`, location);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("name", myName());
    return url;
  },
  { message: (event) => handlers[event.type]?.(event), state: showState },
);

const handlers = {
  // The start of every connection, the first and those after a loss.
  welcome({ you, here, history }) {
    me = you;
    people.clear();
    for (const person of here) people.set(person.id, person);
    showPeople();
    const bottom = atBottom();
    $("log").replaceChildren();
    for (const remark of history) showRemark(remark);
    if (history.length === 0) showNote("Nobody has said anything here yet.");
    // What has no receipt may be lost: it is said again. The server knows the
    // tags of what it has got already.
    for (const [tag, { text, line }] of unreceipted) {
      place(line);
      connection.send({ type: "say", text, tag });
    }
    if (bottom) toBottom();
  },
  say(remark) {
    keepBottom(() => showRemark(remark));
    if (document.hidden) unseen++;
    showTitle();
  },
  join(person) {
    people.set(person.id, person);
    showPeople();
    keepBottom(() => showNote(`${person.name} is here`));
  },
  leave(person) {
    people.delete(person.id);
    showPeople();
    keepBottom(() => showNote(`${person.name} has left`));
  },
  rename(person) {
    const before = people.get(person.id);
    people.set(person.id, person);
    if (person.id === me.id) me = person;
    showPeople();
    if (before) keepBottom(() => showNote(`${before.name} is now ${person.name}`));
  },
};

function say(text) {
  // crypto.randomUUID is for secure pages only, and phones come over plain HTTP.
  const tag = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
  const line = bubble({ from: me ?? { id: 0, name: myName() }, text, at: Date.now() }, true);
  line.classList.add("pending");
  unreceipted.set(tag, { text, line });
  rememberOwn(tag);
  place(line);
  toBottom();
  connection.send({ type: "say", text, tag });
}

// ---- The connection's state ----

const stateTexts = { connecting: "Connecting", online: "Online", offline: "Offline" };
let countdown = 0;

function showState(state, until) {
  clearInterval(countdown);
  document.documentElement.dataset.state = state;
  $("state-text").textContent = stateTexts[state];
  $("state-wait").textContent = "";
  if (state !== "offline") return;
  const count = () => {
    $("state-wait").textContent = `${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s`;
  };
  count();
  countdown = setInterval(count, 500);
}

$("retry").onclick = () => connection.retry();

// ---- The log ----

// Whatever others wrote goes into the page by textContent: it is never HTML.
function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

function showRemark(remark) {
  const waiting = unreceipted.get(remark.tag);
  unreceipted.delete(remark.tag);
  if (waiting) {
    const next = waiting.line.nextElementSibling;
    waiting.line.remove();
    regroup(next);
  }
  // What waits for its receipt stays below all that the server has confirmed.
  place(bubble(remark, own.has(remark.tag)), $("log").querySelector(".pending"));
  trim();
}

function place(line, before = null) {
  $("log").insertBefore(line, before);
  regroup(line);
  regroup(line.nextElementSibling);
}

// regroup joins a line to the one above it if both are of one person.
function regroup(line) {
  if (!line?.dataset.from) return;
  line.classList.toggle("more", line.previousElementSibling?.dataset.from === line.dataset.from);
}

function bubble({ from, text, at }, mine) {
  const line = element("li", mine ? "remark mine" : "remark");
  line.dataset.from = mine ? "me" : from.id;
  tint(line, from);
  line.append(avatar(from));
  const box = element("div", "bubble");
  box.append(element("span", "name", from.name), element("span", "text", text), clock(new Date(at)));
  line.append(box);
  return line;
}

function clock(at) {
  const format = { hour: "numeric", minute: "2-digit" };
  if (at.toDateString() !== new Date().toDateString()) Object.assign(format, { day: "numeric", month: "short" });
  const time = element("time", "", at.toLocaleString([], format));
  time.dateTime = at.toISOString();
  time.title = at.toLocaleString();
  return time;
}

function showNote(text) {
  place(element("li", "note", text), $("log").querySelector(".pending"));
  trim();
}

// The tags of what was said here; a reload does not forget them.
const own = new Set(JSON.parse(stored(() => sessionStorage, "own") ?? "[]"));

function rememberOwn(tag) {
  own.add(tag);
  store(() => sessionStorage, "own", JSON.stringify([...own].slice(-200)));
}

function trim() {
  while ($("log").childElementCount > mostLines) $("log").firstElementChild.remove();
}

function avatar({ name }) {
  const first = [...new Intl.Segmenter().segment(name)][0]?.segment ?? "?";
  const e = element("span", "avatar", first.toUpperCase());
  e.ariaHidden = "true";
  return e;
}

// A name always has the same hue.
function tint(e, { name }) {
  let hash = 0;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  e.style.setProperty("--hue", String((hash * 137.508) % 360));
}

// ---- Scrolling: the log stays at its end unless somebody reads further up ----

function atBottom() {
  const log = $("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 60;
}

function toBottom() {
  $("log").scrollTop = $("log").scrollHeight;
  $("latest").hidden = true;
}

function keepBottom(show) {
  const bottom = atBottom();
  show();
  if (bottom) toBottom();
  else $("latest").hidden = false;
}

$("latest").onclick = toBottom;

// When the log's size changes, say by a phone's keyboard, it stays where it was,
// too. The scrolling that comes of that is not the reader's.
let wasAtBottom = true;
let size = "";
const sizeNow = () => `${$("log").clientWidth}x${$("log").clientHeight}`;
$("log").onscroll = () => {
  if (size !== sizeNow()) return;
  wasAtBottom = atBottom();
  if (wasAtBottom) $("latest").hidden = true;
};
new ResizeObserver(() => {
  size = sizeNow();
  if (wasAtBottom) toBottom();
}).observe($("log"));

// ---- Who is here ----

function showPeople() {
  $("count").textContent = people.size;
  $("me").textContent = me.name;
  const meFirst = [...people.values()].sort((a, b) => (b.id === me.id) - (a.id === me.id) || a.id - b.id);
  $("people").replaceChildren(
    ...meFirst.map((person) => {
      const e = element("li");
      tint(e, person);
      e.append(avatar(person), element("span", "name", person.name));
      if (person.id === me.id) e.append(element("span", "you", "you"));
      return e;
    }),
  );
}

$("toggle").onclick = () => {
  const shown = document.documentElement.toggleAttribute("data-people");
  $("toggle").ariaExpanded = String(shown);
};

// ---- Writing ----

const text = $("text");

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said) return;
  text.value = "";
  fit();
  say(said);
  text.focus();
};

text.onkeydown = (event) => {
  // Enter that ends a composition (of an input method) does not send.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
};

function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}
text.oninput = fit;

// Typing anywhere goes to the message; Escape goes back to the log's end.
addEventListener("keydown", (event) => {
  if ($("dialog").open) return;
  if (event.key === "Escape") {
    document.documentElement.removeAttribute("data-people");
    $("toggle").ariaExpanded = "false";
    toBottom();
  }
  const printable = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (printable && document.activeElement !== text) text.focus();
});

// ---- Name and room ----

// Storage may be blocked; what would be in it lasts as long as the page then.
function stored(storage, key) {
  try {
    return storage().getItem(key);
  } catch {
    return null;
  }
}

function store(storage, key, value) {
  try {
    storage().setItem(key, value);
  } catch {
    // see above
  }
}

let chosen = stored(() => localStorage, "name");

function myName() {
  return chosen ?? "";
}

function ask() {
  $("name").value = me?.name ?? myName();
  $("room-name").value = room;
  $("dialog").showModal();
  $("name").select();
}

$("settings").onclick = ask;
$("dialog").onclose = () => {
  const name = $("name").value.trim();
  const other = $("room-name").value.trim();
  const first = chosen === null;
  if (name !== chosen) {
    chosen = name;
    store(() => localStorage, "name", name);
    if (name) connection.send({ type: "rename", name });
  }
  if (other && other !== room) location.href = `/r/${encodeURIComponent(other)}`;
  else if (first) connection.open();
  text.focus();
};

// ---- Start ----

function showTitle() {
  document.title = unseen ? `(${unseen}) ${room}` : room;
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  showTitle();
});

$("room").textContent = room;
showTitle();
if (chosen === null) {
  ask(); // and connect then: nobody needs to see a guest come and be renamed
} else {
  connection.open();
  text.focus({ preventScroll: true });
}
