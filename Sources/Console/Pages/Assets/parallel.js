"use strict";
// Ranges on the axes of parallel coordinates: runs outside of one fade, also in the table beside them. The row in focus has its line drawn out.
(() => {
  const svg = find(".parallel svg");
  if (!svg) return;
  const lines = [...svg.querySelectorAll("polyline")], count = lines[0].points.length, { width, height } = svg.viewBox.baseVal;
  const rows = new Map([...document.querySelectorAll("main tbody tr")].map(row => [find('a[href^="/runs/"]', row)?.getAttribute("href"), row]));
  const ranges = [], state = make("output", { class: "at" }), hint = "Drag along an axis to choose a range, double-click to let it go.";
  find(".parallel figcaption").append(state);
  state.textContent = hint;

  const at = event => {
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width, y = ((event.clientY - box.top) / box.height) * height;
    return { axis: Math.max(0, Math.min(count - 1, Math.floor(x * count))), y: Math.max(0, Math.min(height, y)) };
  };
  const apply = () => {
    let left = 0;
    for (const line of lines) {
      const isIn = ranges.every((range, axis) => !range || (line.points[axis].y >= range.low && line.points[axis].y <= range.high));
      left += isIn;
      line.classList.toggle("off", !isIn);
      rows.get(`/runs/${line.dataset.run}`)?.classList.toggle("off", !isIn);
    }
    state.textContent = ranges.some(Boolean) ? `${left} of ${lines.length} runs.` : hint;
  };
  const drop = axis => {
    ranges[axis]?.shape.remove();
    ranges[axis] = undefined;
  };
  let drag = null;
  svg.addEventListener("pointerdown", event => {
    drag = at(event);
    drop(drag.axis);
    const shape = document.createElementNS(svg.namespaceURI, "rect");
    for (const [name, value] of Object.entries({ class: "brush", x: ((drag.axis + 0.5) * width) / count - 10, width: 20, y: drag.y, height: 0 })) shape.setAttribute(name, value);
    svg.append(shape);
    ranges[drag.axis] = { low: drag.y, high: drag.y, shape };
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", event => {
    if (!drag) return;
    const range = ranges[drag.axis], y = at(event).y;
    [range.low, range.high] = [Math.min(drag.y, y), Math.max(drag.y, y)];
    range.shape.setAttribute("y", range.low);
    range.shape.setAttribute("height", range.high - range.low);
    apply();
  });
  svg.addEventListener("pointerup", () => {
    if (drag && ranges[drag.axis].high - ranges[drag.axis].low < 4) drop(drag.axis);
    drag = null;
    apply();
  });
  addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    for (let axis = 0; axis < count; axis++) drop(axis);
    apply();
  });
  const mark = row => {
    const path = row && find('a[href^="/runs/"]', row)?.getAttribute("href");
    for (const line of lines) {
      const isOn = path === `/runs/${line.dataset.run}`;
      line.classList.toggle("on", isOn);
    }
  };
  addEventListener("focusin", event => mark(event.target.closest?.("tbody tr")));
  addEventListener("pointerover", event => {
    const row = event.target.closest?.("tbody tr");
    if (row) mark(row);
  });
})();
