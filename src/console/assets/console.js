// What scripts add to all pages; each of them works without.

// A script that copies is of no use without scripts, so its button is not there until now.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  const says = button.firstChild.data;
  button.addEventListener("click", async () => {
    const code = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.firstChild.data = "Copied";
    } catch {
      // Over plain HTTP browsers give no clipboard: what is marked can be copied by hand.
      getSelection().selectAllChildren(code);
      button.firstChild.data = "Marked";
    }
    setTimeout(() => (button.firstChild.data = says), 2000);
  });
}

const options = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const format = new Intl.DateTimeFormat("en-GB", options);

/** Shows times in the zone of who reads them. */
export function localTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      time.textContent = format.format(moment);
      time.title = time.dateTime;
    }
  }
}

export const parse = (text) => new DOMParser().parseFromString(text, "text/html");

/** Puts what a page has under an id in the place of what is there. */
export function swap(page, id) {
  const [old, now] = [document.getElementById(id), page.getElementById(id)];
  if (!old || !now) return false;
  old.replaceWith(now);
  localTimes(now);
  return true;
}

// What takes a moment, the rest of its page does not wait for.
for (const part of document.querySelectorAll("[data-load]")) {
  part.setAttribute("aria-busy", "true");
  fetch(part.dataset.load)
    .then((answer) => answer.text())
    .catch(() => "")
    .then((text) => swap(parse(text), part.id) || part.removeAttribute("aria-busy"));
}

localTimes(document);
const zone = document.getElementById("zone");
if (zone) zone.textContent = `Times are in ${format.resolvedOptions().timeZone}, your time zone.`;

// The first thing to be put right is where the cursor is; where there is none, what is wrong is read out.
document.querySelector("[role=alert]")?.scrollIntoView({ block: "nearest" });
