// Whoever drags over a chart asks for that part of it.

for (const figure of document.querySelectorAll(".chart[data-range]")) {
  const form = document.getElementById(figure.dataset.range);
  const canvas = figure.querySelector(".canvas");
  const rows = [...figure.querySelectorAll("tr[data-start]")];
  if (!form || rows.length < 2) continue;
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  mark.setAttribute("class", "mark");
  mark.setAttribute("y", "8");
  mark.setAttribute("height", "200");
  canvas.classList.add("drags");
  const caption = figure.querySelector("figcaption");
  const said = caption.textContent;
  let from = null;

  const place = (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    const at = Math.floor(((event.clientX - left) / width) * rows.length);
    return Math.min(Math.max(at, 0), rows.length - 1);
  };
  const show = (first, last) => {
    mark.setAttribute("x", `${(first * 100) / rows.length}%`);
    mark.setAttribute("width", `${((last + 1 - first) * 100) / rows.length}%`);
    canvas.append(mark);
  };
  const stop = () => {
    from = null;
    mark.remove();
    caption.textContent = said;
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = place(event);
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    const to = place(event);
    const [first, last] = from === null ? [to, to] : [Math.min(from, to), Math.max(from, to)];
    show(first, last);
    const name = (row) => row.cells[0].textContent;
    const visits = rows.slice(first, last + 1).map((row) => BigInt(row.cells[1].textContent.replaceAll(",", "")));
    const sum = visits.reduce((sum, one) => sum + one, 0n).toLocaleString("en-US");
    caption.textContent = `${name(rows[first])}${last > first ? ` to ${name(rows[last])}` : ""}: ${sum}`;
  });
  canvas.addEventListener("pointerleave", () => from === null && stop());
  canvas.addEventListener("pointercancel", stop);
  canvas.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [first, last] = [from, place(event)].sort((one, other) => one - other);
    // A click is no span.
    if (first === last) return stop();
    const fill = (name, text) => {
      const field = form.elements[name];
      // A field for dates takes nothing else.
      if (text.length > 10) field.type = "text";
      field.value = text;
    };
    fill("from", rows[first].dataset.start);
    if (last + 1 < rows.length) fill("to", rows[last + 1].dataset.start);
    form.elements.unit.value = "";
    form.requestSubmit();
  });
}
