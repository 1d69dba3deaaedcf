// Numbers that move: /console/live tells how far the counters of a page are.

const spots = [...document.querySelectorAll("[data-live]")];
const sparks = [...document.querySelectorAll("svg[data-of]")];
const names = [...new Set(spots.map((spot) => spot.dataset.live))].slice(0, 100);
const address = new URL("../live", import.meta.url);
address.search = new URLSearchParams({ counters: names.join(",") });

// The greatest number seen of each: one that comes late, from a replica that is behind, moves nothing back.
const greatest = new Map();
for (const { dataset } of spots) {
  const count = BigInt(dataset.count);
  if (count > (greatest.get(dataset.live) ?? -1n)) greatest.set(dataset.live, count);
}

function move(name, count) {
  if (count <= greatest.get(name)) return;
  greatest.set(name, count);
  for (const spot of spots) {
    if (spot.dataset.live === name) {
      spot.textContent = (count - BigInt(spot.dataset.minus ?? 0)).toLocaleString("en-US");
    }
  }
  for (const spark of sparks) {
    if (spark.dataset.of === name) draw(spark, count);
  }
}

/** The last point of a small chart goes on with the number. */
function draw(spark, count) {
  const values = spark.dataset.values.split(",").map(Number);
  values[values.length - 1] += Number(count - BigInt(spark.dataset.count));
  const most = Math.max(...values, 1);
  const line = values.map((value, place) => `${place ? "L" : "M"}${place} ${20 - (value * 20) / most}`).join("");
  spark.querySelector(".line").setAttribute("d", line);
  spark.querySelector(".area").setAttribute("d", `${line}V20H0Z`);
}

function say(isAway) {
  for (const spot of spots) spot.classList.toggle("away-now", isAway);
}

let source;
let timer;
let wait = 500;

function open() {
  close();
  if (document.hidden || !names.length) return;
  source = new EventSource(address);
  source.addEventListener("visits", ({ data }) => {
    wait = 500;
    say(false);
    for (const [name, count] of Object.entries(JSON.parse(data))) move(name, BigInt(count));
  });
  source.addEventListener("away", () => say(true));
  source.addEventListener("error", () => {
    // A stream that is cut, a browser opens again by itself; one that is refused, it does not.
    if (source.readyState === EventSource.CLOSED) {
      say(true);
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, 30_000);
    }
  });
}

function close() {
  clearTimeout(timer);
  source?.close();
}

// Nobody sees a page that is hidden.
document.addEventListener("visibilitychange", open);
addEventListener("pagehide", close);
addEventListener("pageshow", ({ persisted }) => persisted && open());
open();

// At midnight it is another day.
const until = Math.min(...spots.map((spot) => Number(spot.dataset.until ?? Infinity)));
setInterval(() => {
  if (Date.now() > until && !document.hidden) location.reload();
}, 10_000);
