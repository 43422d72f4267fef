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
      $("log").append(line);
      connection.send({ type: "say", text, tag });
    }
    if (bottom) toBottom();
  },
  say(remark) {
    keepBottom(() => showRemark(remark), remark.from.id === me.id);
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
  $("log").append(line);
  toBottom();
  connection.send({ type: "say", text, tag });
}

// ---- The connection's state ----

let countdown = 0;

function showState(state, until) {
  clearInterval(countdown);
  document.documentElement.dataset.state = state;
  const text = () => {
    if (state === "online") return "Online";
    if (state === "connecting") return "Connecting";
    return `Offline, again in ${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s`;
  };
  $("state-text").textContent = text();
  if (state === "offline") countdown = setInterval(() => ($("state-text").textContent = text()), 500);
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
  waiting?.line.remove();
  $("log").append(bubble(remark, Boolean(waiting) || remark.from.id === me.id));
  trim();
}

function bubble({ from, text, at }, mine) {
  const last = $("log").lastElementChild;
  const line = element("li", mine ? "remark mine" : "remark");
  line.dataset.from = from.id;
  if (last?.dataset.from === line.dataset.from) line.classList.add("more");
  tint(line, from);
  line.append(avatar(from));
  const box = element("div", "bubble");
  box.append(element("span", "name", from.name), element("span", "text", text));
  const time = element("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = new Date(at).toISOString();
  box.append(time);
  line.append(box);
  return line;
}

function showNote(text) {
  $("log").append(element("li", "note", text));
  trim();
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

// Neighbouring ids get hues that are far apart.
function tint(e, { id }) {
  e.style.setProperty("--hue", String(Math.round((id * 137.508) % 360)));
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

function keepBottom(show, always = false) {
  const bottom = always || atBottom();
  show();
  if (bottom) toBottom();
  else $("latest").hidden = false;
}

$("latest").onclick = toBottom;
$("log").onscroll = () => {
  if (atBottom()) $("latest").hidden = true;
};
let wasAtBottom = true; // as the log's size changes, say by a phone's keyboard
$("log").addEventListener("scroll", () => (wasAtBottom = atBottom()), { passive: true });
new ResizeObserver(() => wasAtBottom && toBottom()).observe($("log"));

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

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is blocked: the name lasts as long as the page
  }
}
let chosen = stored("name");

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
  if (name !== chosen) {
    chosen = name;
    try {
      localStorage.setItem("name", name);
    } catch {
      // see stored
    }
    if (name) connection.send({ type: "rename", name });
  }
  if (other && other !== room) location.href = `/r/${encodeURIComponent(other)}`;
  else text.focus();
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
connection.open();
if (chosen === null) ask();
else text.focus({ preventScroll: true });
