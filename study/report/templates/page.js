// Highlight the trial under the pointer in all charts, and sort tables. The page is readable without this script.
"use strict";
(() => {
  const study = JSON.parse(document.getElementById("study-json").textContent);
  const varying = new Set();
  const first = {};
  for (const { params } of study.trials) {
    for (const [name, value] of Object.entries(params)) {
      if (name in first ? first[name] !== value : study.trials.some((other) => !(name in other.params))) varying.add(name);
      first[name] ??= value;
    }
  }
  const tip = document.getElementById("tip");
  const NEAR = 28; // maximum distance in pixels between the pointer and a mark
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 2000, HEIGHT = 1000;
  let shown = null, kept = false;

  // The marks of a chart, parsed on first use: the positions of dots and the vertices of lines.
  const charts = [...document.querySelectorAll("svg.box[tabindex]")].map((svg) => ({ svg, marks: null, over: null }));
  function marksOf(chart) {
    if (chart.marks) return chart.marks;
    chart.marks = [];
    for (const path of chart.svg.querySelectorAll("path[data-trials]")) {
      const trials = path.dataset.trials.split(" ").map(Number);
      const d = path.getAttribute("d");
      const numbers = d.match(/-?\d+/g).map(Number);
      if (path.classList.contains("dots")) {
        trials.forEach((trial, k) => chart.marks.push({ trial, d: `M${numbers[3 * k]} ${numbers[3 * k + 1]}h0`, at: [numbers[3 * k], numbers[3 * k + 1]], dot: true }));
      } else {
        chart.marks.push({ trial: trials[0], d, at: numbers, dot: false });
      }
    }
    return chart.marks;
  }

  function distance(mark, x, y, across, down) {
    const at = mark.at;
    if (at.length === 2) return Math.hypot((at[0] - x) * across, (at[1] - y) * down);
    let least = Infinity;
    for (let k = 0; k + 3 < at.length; k += 2) {
      const ax = at[k] * across, ay = at[k + 1] * down, bx = at[k + 2] * across, by = at[k + 3] * down;
      const length = (bx - ax) ** 2 + (by - ay) ** 2;
      const share = length ? Math.max(0, Math.min(1, ((x * across - ax) * (bx - ax) + (y * down - ay) * (by - ay)) / length)) : 0;
      least = Math.min(least, Math.hypot(ax + share * (bx - ax) - x * across, ay + share * (by - ay) - y * down));
    }
    return least;
  }

  function nearest(chart, event) {
    const box = chart.svg.getBoundingClientRect();
    const across = box.width / WIDTH, down = box.height / HEIGHT;
    const x = (event.clientX - box.left) / across, y = (event.clientY - box.top) / down;
    let found = null, least = NEAR;
    for (const mark of marksOf(chart)) {
      const far = distance(mark, x, y, across, down);
      if (far <= least) { found = mark; least = far; } // if equally near, the one on top
    }
    return found;
  }

  const short = (value) => typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value);

  function say(trial) {
    const row = study.trials[trial];
    tip.replaceChildren();
    const head = document.createElement("b");
    head.textContent = `Trial ${trial}, ${row.state}`;
    const values = study.values && study.values[trial]
      ? study.objectives.map((name, k) => `${name} ${short(study.values[trial][k])}`)
      : row.value === null ? [] : [`dev ${study.metric} ${short(row.value)}`];
    const text = document.createElement("span");
    const drawn = Object.entries(row.params).filter(([name]) => varying.has(name)).map(([name, value]) => `${name} ${short(value)}`);
    text.textContent = [...values, `${row.iterations} iteration${row.iterations === 1 ? "" : "s"} done`, ...drawn].join(", ");
    tip.append(head, text);
    tip.hidden = false;
  }

  function place(x, y) {
    const box = tip.getBoundingClientRect();
    const left = x + 16 + box.width > innerWidth ? x - 16 - box.width : x + 16;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 16, innerHeight - box.height - 4))}px`;
  }

  function show(trial, x, y) {
    if (trial !== shown) {
      clear();
      shown = trial;
      for (const chart of charts) light(chart, trial);
      for (const row of document.querySelectorAll(`tr[data-trial="${trial}"]`)) row.classList.add("lit");
      say(trial);
    }
    place(x, y);
  }

  // Draw on a separate layer, so that the thousands of marks below are not repainted.
  function light(chart, trial) {
    if (!chart.over) {
      chart.over = document.createElementNS(SVG, "svg");
      for (const name of ["viewBox", "preserveAspectRatio"]) chart.over.setAttribute(name, chart.svg.getAttribute(name));
      chart.over.setAttribute("class", "over");
      chart.over.setAttribute("aria-hidden", "true");
      chart.svg.after(chart.over);
    }
    for (const mark of marksOf(chart)) {
      if (mark.trial !== trial) continue;
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", mark.d);
      path.setAttribute("class", mark.dot ? "lit-dot" : "lit-line");
      chart.over.append(path);
    }
  }

  function clear() {
    for (const chart of charts) if (chart.over) chart.over.replaceChildren();
    for (const row of document.querySelectorAll("tr.lit")) row.classList.remove("lit");
    tip.hidden = true;
    shown = null;
  }

  function besides(chart, trial) {
    const box = chart.svg.getBoundingClientRect();
    const mark = marksOf(chart).find((one) => one.trial === trial);
    const n = mark.at.length;
    return [box.left + mark.at[n - 2] * box.width / WIDTH, box.top + mark.at[n - 1] * box.height / HEIGHT];
  }

  for (const chart of charts) {
    let waiting = false;
    chart.svg.addEventListener("pointermove", (event) => {
      if (kept || waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        if (kept) return;
        const mark = nearest(chart, event);
        if (mark) show(mark.trial, event.clientX, event.clientY); else clear();
      });
    });
    chart.svg.addEventListener("pointerleave", () => { if (!kept) clear(); });
    chart.svg.addEventListener("click", (event) => {
      const mark = nearest(chart, event);
      kept = false;
      if (mark && !(mark.trial === shown && event.detail > 1)) { show(mark.trial, event.clientX, event.clientY); kept = true; } else clear();
    });
    // Arrow keys move to the next best trial of the chart, or back.
    chart.svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const order = ranked(chart);
      const at = order.indexOf(shown);
      const next = at < 0 ? (step > 0 ? 0 : order.length - 1) : Math.max(0, Math.min(order.length - 1, at + step));
      show(order[next], ...besides(chart, order[next]));
      kept = true;
    });
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") { kept = false; clear(); } });

  function ranked(chart) {
    const worth = (trial) => {
      const { state, value } = study.trials[trial];
      if (value === null || state !== "complete") return -Infinity;
      return study.direction === "maximize" ? value : -value;
    };
    return [...new Set(marksOf(chart).map((mark) => mark.trial))].sort((a, b) => (worth(b) - worth(a)) || a - b);
  }

  for (const row of document.querySelectorAll("tr[data-trial]")) {
    row.addEventListener("pointerenter", () => {
      if (kept) return;
      const box = row.getBoundingClientRect();
      show(Number(row.dataset.trial), box.left + 40, box.bottom);
      tip.hidden = true; // the row already shows everything
    });
    row.addEventListener("pointerleave", () => { if (!kept) clear(); });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.classList.contains("still")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row, k) => ({ row, k, key: row.cells[column].textContent.trim() }));
        const numeric = rows.every(({ key }) => key === "" || Number.isFinite(Number(key)));
        const sign = down ? -1 : 1;
        rows.sort((a, b) => {
          if ((a.key === "") !== (b.key === "")) return a.key === "" ? 1 : -1; // rows without a value come last
          return sign * (numeric ? Number(a.key) - Number(b.key) : a.key.localeCompare(b.key)) || a.k - b.k;
        });
        table.tBodies[0].append(...rows.map(({ row }) => row));
      });
    });
  }
  document.documentElement.dataset.ready = "true";
})();
