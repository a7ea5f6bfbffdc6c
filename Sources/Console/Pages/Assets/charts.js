"use strict";
// Draws the charts of a page by uPlot: one cursor over all charts of an axis, and a range that is dragged. The server's drawing stays where
// uPlot is not there, and on a phone.
(() => {
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  if (!window.uPlot || matchMedia("(max-width:40rem)").matches) return;
  const style = getComputedStyle(document.documentElement), css = name => style.getPropertyValue(name).trim();
  const names = ["--live", "--k1", "--k2", "--k3", "--k4", "--k5"], dashes = [[], [7, 2], [2, 2], [7, 2, 2, 2], [12, 3], [4, 4]];
  const short = value => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(5))));
  const moment = seconds => new Date(seconds * 1000).toISOString();
  const times = (_, places, __, ___, step) =>
    places.map(x => (step >= 86400 ? moment(x).slice(5, 10) : moment(x).slice(11, step >= 60 ? 16 : 19)));
  const plots = [];

  // A part that the page takes is asked for anew, in finer buckets; else it is what the page has, and stands behind the address's #.
  const choose = (key, range) => {
    for (const { plot, chart } of plots) {
      if (chart.key !== key) continue;
      chart.part = range;
      plot.setScale("x", range ? { min: range[0], max: range[1] } : { min: chart.from, max: chart.to });
    }
    history.replaceState(null, "", range ? `#${new URLSearchParams({ [key]: range.map(short) })}` : location.pathname + location.search);
  };
  const whole = [Math.floor, Math.ceil];
  const ask = (chart, range) => {
    const search = new URLSearchParams(location.search), names = chart.isTime ? ["since", "until"] : ["from", "to"];
    const place = (x, i) => (chart.isTime ? moment(x) : /^(episode|step)$/.test(chart.key) ? whole[i](x) : short(x));
    for (const name of [...names, "done", "by"]) search.delete(name);
    if (range) names.forEach((name, i) => search.set(name, place(range[i], i)));
    location.assign(`${location.pathname}?${search}`);
  };

  // Lines of a chart on one axis, each as a mean and, where it has a band, its edges.
  const columns = chart => {
    const tables = chart.lines.map(line => [line.x.map(x => x + chart.from), line.mean, ...(line.low ? [line.low, line.high] : [])]);
    return tables.length > 1 ? uPlot.join(tables) : tables[0];
  };
  const series = chart => {
    const all = [{}], bands = [];
    for (const line of chart.lines) {
      const color = () => css(names[line.style]);
      all.push({
        stroke: color, width: 1.5, dash: dashes[line.style], points: { size: 4 }, paths: line.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
      });
      line.place = all.length - 1;
      if (!line.low) continue;
      for (const _ of "ab") all.push({ stroke: "transparent", width: 0, points: { show: false } });
      bands.push({ series: [line.place + 2, line.place + 1], fill: () => color() + "33" });
    }
    return { all, bands };
  };

  const drawBehind = (plot, chart) => {
    const pen = plot.ctx, { left, top, width, height } = plot.bbox;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    pen.fillStyle = css("--late") + "40";
    for (const [from, to] of chart.gaps) {
      const x = plot.valToPos(from, "x", true);
      pen.fillRect(x, top, Math.max(1, plot.valToPos(to, "x", true) - x), height);
    }
    pen.lineWidth = devicePixelRatio;
    for (const [at, y, kind] of chart.marks) {
      const x = plot.valToPos(at, "x", true), to = y === null ? top : plot.valToPos(y, "y", true), size = 12 * devicePixelRatio;
      pen.strokeStyle = css(kind === "up" ? "--k3" : kind === "down" ? "--k4" : "--quiet");
      pen.setLineDash(kind === "here" ? [3, 3] : []);
      pen.beginPath();
      pen.moveTo(x, kind === "here" ? top : to);
      pen.lineTo(x, kind === "here" ? top + height : kind === "up" ? to - size : to + size);
      pen.stroke();
    }
    pen.restore();
  };

  const read = (plot, chart, at) => {
    const index = plot.cursor.idx, x = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null;
    if (index === null || index === undefined || x === null) return at.replaceChildren();
    const place = plot.data[0][index], words = [chart.isTime ? moment(place).slice(0, 19) + "Z" : `${chart.key} ${short(place)}`];
    const gap = chart.gaps.find(([from, to]) => x >= from && x <= to);
    if (gap) words.push(`nothing: ${gap[2]}`);
    else for (const { name, place: own, low } of chart.lines) {
      const value = plot.data[own][index], [least, most] = low ? [plot.data[own + 1][index], plot.data[own + 2][index]] : [value, value];
      if (value !== null && value !== undefined)
        words.push(`${name} ${short(value)}${least < most ? ` (${short(least)} to ${short(most)})` : ""}`.trim());
    }
    at.textContent = words.join(" · ");
  };

  // Between two episodes is none.
  const counts = Array.from({ length: 45 }, (_, n) => [1, 2, 5][n % 3] * 10 ** Math.floor(n / 3));

  const draw = figure => {
    const chart = JSON.parse(figure.dataset.chart), drawing = find("svg", figure), key = chart.isTime ? "time" : chart.key;
    const { all, bands } = series(chart), at = make("output", { class: "at" });
    const place = make("div", { class: "plot", role: "group", tabindex: "0", "aria-label": drawing.getAttribute("aria-label") });
    drawing.replaceWith(place);
    find(".axis", figure).remove();
    find("figcaption", figure).append(at);
    const axis = { stroke: () => css("--quiet"), grid: { stroke: () => css("--line"), width: 1 }, ticks: { show: false } };
    const plot = new uPlot({
      width: figure.clientWidth, height: 160, series: all, bands, legend: { show: false },
      tzDate: seconds => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: {
        x: { time: chart.isTime, range: () => chart.part ?? [chart.from, chart.to] },
        y: {
          range: (_, least, most) =>
            chart.part || chart.top <= chart.bottom ? uPlot.rangeNum(least ?? 0, most ?? 1, 0.1, true) : [chart.bottom, chart.top],
        },
      },
      axes: [{ ...axis, size: 32, values: chart.isTime ? times : undefined, incrs: /^(episode|step)$/.test(chart.key) ? counts : undefined }, { ...axis, size: 64 }],
      cursor: {
        y: false, drag: { x: true, y: false, setScale: false }, points: { size: 6 },
        sync: { key, filters: { pub: type => type === "mousemove" || type === "mouseleave", sub: () => true } },
        bind: { dblclick: () => () => (chart.isTime || chart.ranged ? ask(chart) : choose(chart.key)) },
      },
      hooks: {
        drawClear: [plot => drawBehind(plot, chart)],
        setCursor: [plot => read(plot, chart, at)],
        setSelect: [plot => {
          const { left, width } = plot.select;
          if (width < 5) return;
          const range = [left, left + width].map(x => plot.posToVal(x, "x"));
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          if (chart.isTime || chart.ranged) ask(chart, range);
          else choose(chart.key, range);
        }],
      },
    }, columns(chart), place);
    place.addEventListener("keydown", event => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], last = plot.data[0].length - 1;
      if (!step || last < 0) return;
      event.preventDefault();
      const index = Math.min(last, Math.max(0, (plot.cursor.idx ?? (step > 0 ? -1 : last + 1)) + step));
      plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 20 }, true, true);
    });
    new ResizeObserver(() => {
      if (figure.clientWidth !== plot.width) plot.setSize({ width: figure.clientWidth, height: 160 });
    }).observe(figure);
    plots.push({ plot, chart });
  };
  figures.forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(({ plot }) => plot.redraw(false)));
  for (const [key, range] of new URLSearchParams(location.hash.slice(1))) {
    const [from, to] = range.split(",").map(Number);
    if (to > from) choose(key, [from, to]);
  }
})();
