// Fetches the page again when the service says that something happened, and now and then in any case.
"use strict";

const sign = document.getElementById("live");
let wanted = false;
let busy = false;

// What somebody is writing or has opened is not taken away from them.
function occupied(main) {
  const focus = document.activeElement;
  return document.hidden || main.querySelector("details[open].careful") ||
    (main.contains(focus) && focus.matches("input, select, textarea"));
}

const times = (part) => [...part.querySelectorAll("time")];

// "3 min ago" changes all the time; that alone is no reason to take the page from under somebody's finger.
function withoutTimes(part) {
  const copy = part.cloneNode(true);
  times(copy).forEach((time) => { time.textContent = ""; });
  return copy.innerHTML;
}

async function refresh() {
  const main = document.querySelector("main");
  if (busy || occupied(main)) { wanted = true; return; }
  busy = true;
  wanted = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Vmacd-Refresh": "1" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { location.reload(); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const opened = [...main.querySelectorAll("details")].map((part) => part.open);
    const fresh = document.adoptNode(page.querySelector("main"));
    fresh.querySelectorAll("details").forEach((part, at) => { part.open = opened[at] ?? part.open; });
    if (withoutTimes(fresh) !== withoutTimes(main)) {
      main.replaceWith(fresh);
    } else {
      const texts = times(fresh).map((time) => time.textContent);
      times(main).forEach((time, at) => { time.textContent = texts[at]; });
    }
  } catch {
    wanted = true;
  } finally {
    busy = false;
  }
}

const source = new EventSource("/live");
source.onopen = () => { sign.className = "on"; sign.textContent = "live"; refresh(); };
source.onerror = () => { sign.className = ""; sign.textContent = "not live"; };
source.addEventListener("changed", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setInterval(refresh, 15000);
setInterval(() => { if (wanted) refresh(); }, 1000);
