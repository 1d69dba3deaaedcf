// Audiences: what is built is counted by itself, and exports show how far they are.
import { parse, swap } from "./console.js";

const form = document.getElementById("builder");
let asked = new AbortController();
let timer;

/** What the form says, by one of its buttons; what was asked before is given up, in the database as well. */
async function send(button) {
  clearTimeout(timer);
  asked.abort();
  asked = new AbortController();
  const current = document.getElementById("builder");
  const body = new URLSearchParams(new FormData(current));
  body.set("do", button);
  body.set("by", "script");
  const answer = await fetch(current.action, { method: "POST", body, signal: asked.signal });
  return parse(await answer.text());
}

/** Says beside the rules why nothing came of it. */
function fail(error) {
  if (error?.name === "AbortError") return;
  const preview = document.getElementById("preview");
  preview.removeAttribute("aria-busy");
  preview.textContent = error
    ? "There was no answer. What you built is still here: try again in a moment."
    : "You are signed out. What you built is still here: copy its JSON from below before you log in again.";
}

async function count() {
  document.getElementById("preview").setAttribute("aria-busy", "true");
  try {
    const page = await send("live");
    if (!swap(page, "preview")) return fail();
    const [json, was] = ["json", "json_was"].map((name) => document.querySelector(`#builder [name=${name}]`));
    if (json && json.value === json.defaultValue && document.activeElement !== json) {
      const now = page.getElementById("json");
      json.value = json.defaultValue = now?.value ?? "";
      was.value = page.querySelector("#builder [name=json_was]")?.value ?? "";
    }
  } catch (error) {
    fail(error);
  }
}

function soon() {
  clearTimeout(timer);
  asked.abort();
  timer = setTimeout(count, 500);
}

if (form) {
  const main = form.parentElement;
  main.addEventListener("input", (event) => {
    if (event.target.form?.id === "builder" && event.target.name !== "json") soon();
  });
  // Rules come and go without the page being loaded again.
  main.addEventListener("submit", async (event) => {
    const button = event.submitter?.value ?? "look";
    if (event.target.id !== "builder" || button.startsWith("save")) return;
    event.preventDefault();
    try {
      if (!swap(await send(button), "builder")) return fail();
      document.querySelector("#builder [autofocus]")?.focus();
      if (button !== "look") count();
    } catch (error) {
      fail(error);
    }
  });
  if (form.querySelector(".sentence")) count();
}

/** Fetches a file, and says how much of it is there. */
async function save(link) {
  const box = document.querySelector("#export .exporting");
  const [bar, said, cancel] = box.children;
  const stop = new AbortController();
  const digits = new Intl.NumberFormat("en-GB");
  const all = Number(link.dataset.size ?? document.querySelector("#size .size strong")?.textContent.replaceAll(",", ""));
  cancel.onclick = () => stop.abort();
  cancel.hidden = box.hidden = false;
  bar.removeAttribute("value");
  if (all) bar.max = all;
  let lines = link.href.includes("format=csv") ? -1 : 0;
  try {
    const answer = await fetch(link.href, { signal: stop.signal });
    if (!answer.headers.get("content-disposition")) return location.assign(link.href);
    // What is a blob already need not stay in memory.
    let [blob, part, bytes] = [[], [], 0];
    for (let reader = answer.body.getReader(), read; !(read = await reader.read()).done; ) {
      part.push(read.value);
      bytes += read.value.length;
      for (const byte of read.value) if (byte === 10) lines += 1;
      if (bytes > 4e6) [blob, part, bytes] = [[new Blob([...blob, ...part])], [], 0];
      if (all) bar.value = Math.max(lines, 0);
      said.textContent = `${digits.format(Math.max(lines, 0))}${all ? ` of ${digits.format(all)}` : ""} members`;
    }
    const file = document.createElement("a");
    file.href = URL.createObjectURL(new Blob([...blob, ...part]));
    file.download = answer.headers.get("content-disposition").split('"')[1];
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 60_000);
    bar.value = bar.max;
    said.textContent = `${digits.format(Math.max(lines, 0))} members are in ${file.download}.`;
  } catch (error) {
    bar.value = 0;
    said.textContent = error.name === "AbortError" ? "Cancelled: no file was made." : "Cut off on the way: no file was made. Try again.";
  }
  cancel.hidden = true;
}

for (const link of document.querySelectorAll("a[data-export]")) {
  link.addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    save(link);
  });
}
