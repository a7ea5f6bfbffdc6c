"use strict";
// The fleet as it changes: its map, and its page anew when something has happened.
(() => {
  const main = find("main[data-live]");
  if (!main || !window.EventSource) return;
  const news = make("p", { class: "hidden", role: "status", "aria-live": "polite" });
  document.body.append(news);
  const title = document.title;
  let state = [], map = null, figure = find("#map"), isAway = false, open = null, lastNs = Date.now(), inventory, revision;
  let lastRefresh = 0, waiting = 0;

  // A document that a request brings is parsed without running anything in it, so that only the server writes pages.
  const refresh = () => {
    waiting = 0;
    lastRefresh = Date.now();
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.setRequestHeader("Accept", "text/html");
    request.onload = () => {
      const fresh = request.status === 200 && request.response && find("main", request.response);
      // Without a login there is none to show; what is being typed is left alone.
      if (!fresh?.dataset.live || find(":focus:is(input,textarea,select)", main)) return;
      const drawn = find("#map", fresh);
      if (drawn && figure && drawn.dataset.by === figure.dataset.by) drawn.replaceWith(figure);
      const focused = document.activeElement?.getAttribute("href");
      main.dataset.live = fresh.dataset.live;
      // It was read before the newest frame.
      if (revision !== fresh.dataset.live) refreshSoon();
      main.replaceChildren(...fresh.childNodes);
      figure = find("#map", main);
      if (focused) find(`a[href="${CSS.escape(focused)}"]`, main)?.focus({ preventScroll: true });
      draw();
    };
    request.send();
  };
  // All viewers get the same frame at once: their pages are asked for one after another.
  const refreshSoon = () => {
    if (!waiting) waiting = setTimeout(refresh, Math.max(lastRefresh + 5000 - Date.now(), 0) + Math.random() * 1500);
  };

  const loadMap = async () => {
    const by = figure?.dataset.by;
    if (!by) return;
    const answer = await fetch(`/api/v1/live/map?by=${encodeURIComponent(by)}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const read = await answer.json();
    const cells = read.groups.map(name => ({ name, hosts: [] }));
    for (let i = 0, host = 0; i < read.members.length; i += 2)
      for (let n = read.members[i]; n > 0; n--) cells[read.members[i + 1]].hosts.push(host++);
    cells.sort((a, b) => (a.name < b.name ? -1 : 1));
    const of = [];
    for (const { name, hosts } of cells) for (const host of hosts) of[host] = name;
    // Many groups are drawn one behind the other: a line for each would make a strip of it.
    map = { ...read, of, cells: cells.length > 40 ? [{ hosts: cells.flatMap(group => group.hosts) }] : cells };
    draw();
  };

  const label = 16;
  let cellSize = 0, laid = [];
  const layOut = (width, size) => {
    const perRow = Math.max(1, Math.floor(width / size)), isNamed = map.cells[0]?.name !== undefined;
    let y = 0;
    laid = map.cells.map(group => {
      const top = y + (isNamed ? label : 0);
      y = top + Math.ceil(group.hosts.length / perRow) * size + (isNamed ? 6 : 1);
      return { group, top, isNamed };
    });
    cellSize = size;
    return y;
  };
  const draw = () => {
    const canvas = figure && find("canvas", figure);
    if (!canvas || !map || map.names.length !== state.length) return;
    canvas.classList.add("drawn");
    const width = figure.clientWidth, scale = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
    let size = 18;
    while (size > 3 && layOut(width, size) > 420) size--;
    const height = layOut(width, size), pen = canvas.getContext("2d");
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.height = `${height}px`;
    pen.scale(scale, scale);
    pen.font = "12px system-ui,sans-serif";
    const color = name => style.getPropertyValue(name).trim();
    const states = ["--live", "--late", "--silent", "--silent"].map(color), troubles = ["", "--p2", "--p2", "--p1", "--p0"].map(color);
    const text = color("--quiet"), back = color("--back"), perRow = Math.max(1, Math.floor(width / size)), inner = size > 5 ? size - 1 : size;
    for (const { group, top, isNamed } of laid) {
      pen.fillStyle = text;
      if (isNamed) pen.fillText(visible(group.name).slice(0, 80), 0, top - 4);
      group.hosts.forEach((host, place) => {
        const code = state[host], x = (place % perRow) * size, y = top + Math.floor(place / perRow) * size;
        pen.fillStyle = code > 3 ? troubles[Math.min(4, code >> 2)] : states[code & 3];
        pen.fillRect(x, y, inner, inner);
        // Not by its colour alone: late is half a cell, silent an empty one, trouble has a mark.
        pen.fillStyle = back;
        if (code === 1) pen.fillRect(x + inner / 2, y + 1, inner / 2 - 1, inner - 2);
        else if (code === 2 || code === 3) pen.fillRect(x + 1, y + 1, inner - 2, inner - 2);
        else if (code > 3 && inner > 8) pen.fillRect(x + inner / 2 - 1, y + 2, 2, inner - 4);
      });
    }
  };
  const words = ["live", "late", "silent", "never reported"], severities = ["", ", open P3", ", open P2", ", open P1", ", open P0"];
  const hostAt = event => {
    if (!map || event.target.tagName !== "CANVAS") return -1;
    const column = Math.floor(event.offsetX / cellSize), perRow = Math.max(1, Math.floor(figure.clientWidth / cellSize));
    for (const { group, top } of laid) {
      const place = Math.floor((event.offsetY - top) / cellSize) * perRow + column;
      if (event.offsetY >= top && column < perRow && place >= 0 && place < group.hosts.length) return group.hosts[place];
    }
    return -1;
  };
  main.addEventListener("pointermove", event => {
    const host = hostAt(event);
    if (host >= 0)
      find("#map-text").textContent = `${visible(map.names[host])} (${visible(map.of[host])}): ${words[state[host] & 3]}${severities[Math.min(4, state[host] >> 2)]}.`;
  });
  main.addEventListener("click", event => {
    const host = hostAt(event);
    if (host >= 0) location.assign(`/hosts/${encodeURIComponent(map.names[host])}`);
  });
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  const unpack = text => {
    const codes = [];
    for (const [, count, letter] of text.matchAll(/(\d*)([A-T])/g))
      for (let n = Number(count || 1); n > 0; n--) codes.push(letter.charCodeAt(0) - 65);
    return codes;
  };
  const heard = frame => {
    lastNs = Date.now();
    const clock = find("#as-of");
    clock.textContent = frame.as_of;
    clock.dateTime = frame.as_of;
    clock.classList.remove("old");
    if (isAway) {
      isAway = false;
      refreshSoon();
    }
    if (!frame.incidents) return;
    inventory = frame.inventory ?? inventory;
    revision = `${inventory} ${frame.news}`;
    const now = Object.values(frame.incidents).reduce((a, b) => a + b, 0);
    const named = Object.entries(frame.incidents).filter(([, n]) => n).map(([word, n]) => `${n} ${word}`).join(", ");
    if (open !== null && now > open) news.textContent = `${now} open incident${now === 1 ? "" : "s"}: ${named}`;
    open = now;
    document.title = now ? `(${now}) ${title}` : title;
    refreshSoon();
  };
  const stream = new EventSource("/api/v1/live");
  stream.addEventListener("fleet", event => {
    const frame = JSON.parse(event.data), isFirst = open === null;
    state = unpack(frame.states);
    heard(frame);
    // What the page came with is current, unless something has happened since.
    if (isFirst && main.dataset.live === revision) {
      clearTimeout(waiting);
      waiting = 0;
    }
    if (map?.inventory !== frame.inventory) loadMap();
    else draw();
  });
  stream.addEventListener("change", event => {
    const frame = JSON.parse(event.data);
    let host = 0;
    for (const [, distance, letter] of (frame.changes ?? "").matchAll(/(\d+)([A-T])/g)) {
      host += Number(distance);
      state[host++] = letter.charCodeAt(0) - 65;
    }
    heard(frame);
    if (frame.changes) draw();
  });
  stream.addEventListener("away", () => {
    isAway = true;
    refreshSoon();
  });
  stream.addEventListener("end", event => {
    const { reason } = JSON.parse(event.data);
    if (!reason.includes("session")) return;
    stream.close();
    news.classList.remove("hidden");
    news.textContent = `This page is not kept current any more: ${reason}.`;
  });
  // What is older than some frames is not the present.
  setInterval(() => {
    const age = Math.round((Date.now() - lastNs) / 1000);
    if (age > 5) find("#as-of").classList.add("old");
    if (age > 5 && !isAway) find("#as-of").textContent = `${find("#as-of").dateTime} (${age} s ago: no news comes)`;
  }, 5000);
})();
