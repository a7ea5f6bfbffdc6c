"use strict";
// New lines of a search above those that the page has. What is asked for and how often is the server's matter; here lines are only shown.
(() => {
  const main = find("main[data-tail]");
  if (!main || !window.EventSource) return;
  // More are not kept: a page that is left open for a night must not grow.
  const linesMax = 2000;
  let table = find('[aria-label="Table: lines"] table', main), stream = null, waiting = [], leftOut = 0;
  if (!table) {
    const row = make("tr");
    for (const name of ["Time", "Host", "File", "Level", "Message"]) row.append(make("th", { scope: "col" }, name));
    table = make("table", {}, make("thead", {}, row), make("tbody"));
    main.append(make("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "Table: lines" }, table));
  }
  const body = find("tbody", table), names = [...table.querySelectorAll("th")].map(head => head.textContent);
  const button = make("button", { type: "button" }, "Follow"), state = make("output", { class: "at" });
  table.parentElement.before(make("p", { class: "tail" }, button, state));

  const key = values => ["host", "file", "offset"].map(name => values.get(name)).join("\n");
  const known = new Set([...body.querySelectorAll('a[href^="/logs/context?"]')].map(a => key(new URL(a.href).searchParams)));
  const cells = {
    Time: (line, at) => make("a", { href: `/logs/context?${at}` }, line.time),
    Host: line => make("a", { href: `/hosts/${encodeURIComponent(line.host)}` }, visible(line.host)),
  };
  const text = value => String(value ?? "").split("\n").map(visible).join("\n");
  const show = lines => {
    const rows = [];
    for (const line of lines) {
      const at = new URLSearchParams({ host: line.host, file: line.file, time: line.time, offset: line.offset }), id = key(at);
      if (known.has(id)) continue;
      known.add(id);
      const row = make("tr");
      for (const name of names) {
        const value = name === "Level" && line.level ? { class: `s-${line.level}` } : name === "Message" || name === "File" ? { class: "long" } : {};
        row.append(make("td", { "data-h": name, ...value }, cells[name]?.(line, at) ?? text(line[name.toLowerCase()])));
      }
      rows.unshift(row);
    }
    body.prepend(...rows);
    while (body.rows.length > linesMax) {
      const last = body.lastElementChild, link = find('a[href^="/logs/context?"]', last);
      if (link) known.delete(key(new URL(link.href).searchParams));
      last.remove();
    }
  };

  // Who reads further down is not moved: what comes meanwhile waits.
  const isReading = () => table.getBoundingClientRect().top < 0;
  const flush = () => {
    if (!waiting.length || isReading()) return;
    if (leftOut) state.textContent = `${leftOut} lines were left out meanwhile.`;
    show(waiting);
    waiting = [];
    leftOut = 0;
  };
  addEventListener("scroll", flush, { passive: true });

  const end = words => {
    stream?.close();
    stream = null;
    button.textContent = "Follow";
    state.textContent = words;
  };
  const begin = () => {
    stream = new EventSource(main.dataset.tail);
    button.textContent = "Stop";
    state.textContent = "connecting";
    stream.addEventListener("lines", event => {
      waiting.push(...JSON.parse(event.data).items);
      leftOut += Math.max(0, waiting.length - linesMax);
      waiting = waiting.slice(-linesMax);
      flush();
    });
    stream.addEventListener("state", event => {
      const paused = waiting.length ? `Paused while you read: ${waiting.length} new lines${leftOut ? `, ${leftOut} more left out` : ""}; scroll up. ` : "";
      state.textContent = paused + visible(JSON.parse(event.data).state);
    });
    stream.addEventListener("end", event => end(`Ended: ${JSON.parse(event.data).reason}.`));
    stream.addEventListener("error", () => {
      if (stream?.readyState === EventSource.CLOSED) end("The console refused to go on: load the page again.");
      else state.textContent = "The connection was lost: trying again.";
    });
  };
  button.addEventListener("click", () => (stream ? end("Stopped.") : begin()));
})();
