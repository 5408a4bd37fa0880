// Renews the page when the service says that something happened, and now and then in any case.
"use strict";

const sign = document.getElementById("live");
const POLL_MS = 30000;
let source = null;
let connected = false;
let failed = "";
let wanted = false;
let busy = false;

// What somebody is writing or has opened is not taken away from them.
function occupied(main) {
  const focus = document.activeElement;
  return main.querySelector("details[open].careful") ||
    (main.contains(focus) && focus.matches("input, select, textarea"));
}

// The sign is green only while changes come by themselves and the page shows the newest ones.
function tell() {
  const paused = wanted && occupied(document.querySelector("main"));
  const good = connected && !failed && !paused && !document.querySelector("#health .outage");
  sign.className = good ? "on" : "";
  const at = sign.dataset.at;
  if (failed) sign.textContent = `Not live: ${failed}. As of ${at}`;
  else if (!connected) sign.textContent = `Not live: reconnecting. As of ${at}`;
  else if (paused) sign.textContent = `Updates paused while you type. As of ${at}`;
  else sign.textContent = `Live ${at}`;
}

const times = (part) => [...part.querySelectorAll("time, .figure")];
const controls = (part) => [...part.querySelectorAll("a, button, summary")];

// "3 min ago" and "2 ms" change all the time; that alone is no reason to take the page from under somebody's finger.
function withoutTimes(part) {
  const copy = part.cloneNode(true);
  times(copy).forEach((time) => { time.textContent = ""; });
  return copy.innerHTML;
}

function replace(old, fresh) {
  if (withoutTimes(fresh) === withoutTimes(old)) {
    const texts = times(fresh).map((time) => time.textContent);
    times(old).forEach((time, at) => { time.textContent = texts[at]; });
    return;
  }
  const opened = [...old.querySelectorAll("details")].map((part) => part.open);
  fresh.querySelectorAll("details").forEach((part, at) => { part.open = opened[at] ?? part.open; });
  const focused = controls(old).indexOf(document.activeElement);
  old.replaceWith(fresh);
  const again = controls(fresh)[focused];
  if (again) again.focus({ preventScroll: true });
}

async function fetched() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Vmacd-Refresh": "1" } });
  if (answer.redirected && new URL(answer.url).pathname === "/login") { location.reload(); return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const part = (name) => document.adoptNode(page.querySelector(name));
  // What was shown stays when the service cannot show it anew; only what is wrong is told.
  failed = answer.status < 500 ? "" : "the page cannot be renewed";
  if (page.querySelector("#health")) replace(document.getElementById("health"), part("#health"));
  if (failed) return;
  replace(document.querySelector("main"), part("main"));
  sign.dataset.at = page.getElementById("live").dataset.at;
}

async function refresh() {
  if (document.hidden || busy || occupied(document.querySelector("main"))) { wanted = true; tell(); return; }
  busy = true;
  do {
    wanted = false;
    try { await fetched(); } catch { failed = "the service does not answer"; }
  } while (wanted && !failed && !occupied(document.querySelector("main")));
  busy = false;
  tell();
}

// A browser opens six connections to a host: pages that nobody sees leave theirs to others.
function watch() {
  if (document.hidden) {
    if (source) source.close();
    source = null;
    connected = false;
    return;
  }
  if (source && source.readyState !== EventSource.CLOSED) return;
  source = new EventSource("/live");
  source.onopen = () => { connected = true; refresh(); };
  source.onerror = () => { connected = false; tell(); };
  source.addEventListener("changed", refresh);
}

document.addEventListener("visibilitychange", () => { watch(); if (!document.hidden) refresh(); });
setInterval(() => { watch(); refresh(); }, POLL_MS);
setInterval(() => { if (wanted && !busy) refresh(); }, 1000);
setInterval(() => { if (failed && !busy) refresh(); }, 3000);
watch();
