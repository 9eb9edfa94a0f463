// The live page: a list of studies updated by server-sent events, one study with its curves, and a form to submit one.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const SHOWN = 15; // studies shown before "Show all"
  const PAUSE = 700; // milliseconds between two updates of a study
  const $ = (id) => document.getElementById(id);
  let studies = [], chosen = null, drawn = "", drawing = false, all = false, source = null;

  function put(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function draw(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  function tell(element, text, look = "") {
    element.textContent = text;
    element.hidden = !text;
    if (look) element.className = look;
  }

  function setLink(element, address) {
    element.hidden = !address;
    if (address) element.href = address;
  }

  const short = (value) => value === null || value === undefined ? "" : typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value);
  const active = (line) => line.state === "queued" || line.state === "running";
  const at = (name) => `/studies/${encodeURIComponent(name)}`;

  async function ask(path, options = {}) {
    const reply = await fetch(path, options);
    if (reply.status === 401) { login(); throw new Error("a token is required"); }
    const content = await reply.json();
    if (!reply.ok) throw new Error(content.detail || reply.statusText);
    return content;
  }

  // The study to show: the one in the address, else a running one, else the last one.
  function choose() {
    const wanted = decodeURIComponent(location.hash.replace(/^#study=/, ""));
    const found = studies.find((line) => line.name === wanted) || studies.find((line) => line.state === "running") || studies[studies.length - 1];
    chosen = found ? found.name : null;
    return found || null;
  }

  function showList() {
    const queue = studies.filter(active).sort((a, b) => (a.state === "queued") - (b.state === "queued"));
    const ended = studies.filter((line) => !active(line)).reverse();
    const ordered = [...queue, ...ended];
    const waiting = new Map(queue.filter((line) => line.state === "queued").map((line, k) => [line.name, k + 1]));
    const kept = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.study : null;
    $("rows").replaceChildren(...ordered.slice(0, all ? undefined : SHOWN).map((line) => {
      const link = put("a", { href: `#study=${encodeURIComponent(line.name)}`, "data-study": line.name, title: line.name }, line.name);
      if (line.name === chosen) link.setAttribute("aria-current", "true");
      const state = line.state === "queued" ? `queued, ${waiting.get(line.name)}.` : line.state;
      const trials = line.planned === null ? "" : `${line.finished}/${line.planned}`;
      return put("tr", line.name === chosen ? { class: "chosen" } : {},
        put("th", { scope: "row" }, link),
        put("td", { class: "text" }, put("span", { class: `state ${line.state}` }, state)),
        put("td", {}, trials), put("td", {}, short(line.best)));
    }));
    if (kept) for (const link of $("rows").querySelectorAll("a")) if (link.dataset.study === kept) link.focus({ preventScroll: true });
    const tracked = studies.find((line) => line.mlflow);
    setLink($("mlflow"), tracked ? new URL(tracked.mlflow).origin : "");
    $("none").hidden = studies.length > 0;
    $("list").hidden = studies.length === 0;
    $("more").hidden = all || ordered.length <= SHOWN;
    $("all").textContent = `Show all ${ordered.length}`;
    const count = (state) => studies.filter((line) => line.state === state).length;
    $("line").textContent = `${count("running")} running, ${count("queued")} waiting`;
    document.title = count("running") ? `study: ${count("running")} running` : "study";
  }

  function showStudy(line) {
    $("study").hidden = !line;
    if (!line) return;
    $("name").textContent = line.name;
    $("description").textContent = line.description;
    const best = line.best === null ? "" : `, best dev ${line.metric} ${short(line.best)}`;
    const confirming = line.confirming === null ? "" : `, confirming the best: ${Math.round(100 * line.confirming)}%`;
    $("standing").textContent = line.planned === null ? line.state : `${line.state}, ${line.finished} of ${line.planned} trial${line.planned === 1 ? "" : "s"}${best}${confirming}`;
    tell($("message"), line.submission ? line.submission.message : "");
    $("progress").value = line.confirming !== null ? line.confirming : line.planned ? Math.min(1, line.finished / line.planned) : 0;
    $("progress").setAttribute("aria-label", line.confirming !== null ? "progress of the confirmation" : "finished trials");
    $("progress").hidden = !active(line) && line.confirming === null;
    setLink($("report"), line.version ? `${at(line.name)}/report` : "");
    setLink($("log"), line.submission ? `${at(line.name)}/log` : "");
    setLink($("in-mlflow"), line.mlflow);
    $("cancel").hidden = !(line.submission && active(line.submission));
  }

  function showChart(chart) {
    $("figure").hidden = !chart;
    if (!chart) return;
    $("legend").replaceChildren(...chart.legend.map(([style, text]) => {
      const picture = draw("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" });
      picture.append(draw("path", { class: style, d: "M1 6H23" }));
      return put("li", {}, picture, text);
    }));
    const box = draw("svg", { class: "box", viewBox: "0 0 2000 1000", preserveAspectRatio: "none", role: "img", "aria-label": chart.label });
    box.append(draw("path", { class: "grid", d: chart.grid }));
    for (const mark of chart.marks) box.append(draw("path", { class: `${mark.kind} ${mark.style}`, d: mark.d, "data-trials": mark.trials.join(" ") }));
    const ticks = (axis, side) => {
      const row = put("div", { class: `ticks ${side}`, "aria-hidden": "true" });
      const wide = (text) => 0.48 * text.length; // rem
      for (const [place, text] of axis.ticks) {
        const tick = put("span", {}, text), half = side === "y" ? 0.45 : wide(text) / 2;
        tick.style[side === "y" ? "bottom" : "left"] = `clamp(${half}rem, ${100 * place}%, 100% - ${half}rem)`;
        row.append(tick);
      }
      if (side === "y") row.style.width = `${0.5 + Math.max(0, ...axis.ticks.map(([, text]) => wide(text)))}rem`;
      return row;
    };
    const title = (axis, side) => put("div", { class: `title ${side}`, "aria-hidden": "true" }, axis.title);
    $("plot").replaceChildren(title(chart.y, "y"), ticks(chart.y, "y"), box, ticks(chart.x, "x"), title(chart.x, "x"));
    thinOut();
    $("caption").textContent = chart.caption;
  }

  // Hide tick labels below the axis that would overlap the previous one.
  function thinOut() {
    let end = -Infinity;
    for (const tick of $("plot").querySelectorAll(".ticks.x span")) {
      const box = tick.getBoundingClientRect(), fits = box.left > end + 6;
      tick.style.visibility = fits ? "" : "hidden";
      if (fits) end = box.right;
    }
  }

  // The chosen trials, and the one to finalize. Hidden during the search, when they change with every trial.
  function showChoice(study) {
    const lines = study && !active(study) ? study.choice_lines : [];
    $("choice").replaceChildren(...lines.map((text) => put("p", { class: "note" }, text)));
  }

  function showBoard(line, trials) {
    $("board").hidden = trials.length === 0;
    const given = [...new Set(trials.flatMap((trial) => Object.keys(trial.params)))];
    const units = given.filter((name) => name.startsWith("units_")).sort();
    const names = given.filter((name) => !name.startsWith("units_")).flatMap((name) => name === "depth" ? [name, ...units] : [name]);
    const varying = names.filter((name) => new Set(trials.map((trial) => short(trial.params[name]))).size > 1 || name === "learning_rate");
    $("heads").replaceChildren(...["trial", `dev ${line.metric}`, ...varying, "seconds"].map((text) => put("th", { scope: "col" }, text)));
    $("best").replaceChildren(...trials.map((trial) => put("tr", {},
      put("th", { scope: "row" }, String(trial.number)), put("td", {}, short(trial.value)),
      ...varying.map((name) => put("td", {}, short(trial.params[name]))), put("td", {}, short(Number(trial.seconds.toPrecision(3)))))));
  }

  // Run one update at a time; changes that arrive meanwhile are drawn by the next one.
  async function follow() {
    if (drawing) return;
    drawing = true;
    try {
      for (;;) {
        const line = studies.find((each) => each.name === chosen);
        const key = line ? `${line.name} ${line.version} ${line.state}` : "";
        if (key === drawn) return;
        drawn = key;
        if (!line || !line.version) { showChart(null); showChoice(null); $("board").hidden = true; continue; }
        const [curves, trials, whole] = await Promise.all([ask(`${at(line.name)}/curves`), ask(`${at(line.name)}/trials?order=best&limit=10`), ask(at(line.name))]);
        if (line.name !== chosen) continue;
        showChoice(whole);
        showChart(curves.chart);
        showBoard(line, trials.trials);
        await new Promise((done) => setTimeout(done, PAUSE));
      }
    } catch (error) {
      drawn = "";
      console.info(error.message);
    } finally {
      drawing = false;
    }
  }

  function show() {
    const line = choose();
    showList();
    showStudy(line);
    follow();
  }

  // Apply a `changes` event. Studies are sorted by submission, then by name, as in the server's list.
  function change(event) {
    const known = new Map(studies.map((line) => [line.name, line]));
    for (const name of event.gone) known.delete(name);
    for (const line of event.studies) known.set(line.name, line);
    const place = (line) => line.submission ? line.submission.id : Number.MAX_SAFE_INTEGER;
    studies = [...known.values()].sort((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1));
  }

  function listen() {
    if (source) source.close();
    source = new EventSource("/events");
    source.addEventListener("studies", (event) => { studies = JSON.parse(event.data).studies; show(); });
    source.addEventListener("changes", (event) => { change(JSON.parse(event.data)); show(); });
    source.onerror = () => { $("line").textContent = "the server does not respond; trying again …"; };
  }

  function login(message = "") {
    if (source) source.close();
    $("main").hidden = true;
    $("login").hidden = false;
    tell($("login-said"), message);
    $("token").focus();
    $("line").textContent = "";
  }

  async function begin() {
    try {
      studies = (await ask("/studies")).studies;
    } catch (error) {
      if ($("login").hidden) $("line").textContent = "the server does not respond";
      return;
    }
    $("login").hidden = true;
    $("main").hidden = false;
    show();
    listen();
  }

  $("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const reply = await fetch("/session", { method: "POST", headers: { Authorization: `Bearer ${$("token").value}` } });
    $("token").value = "";
    if (reply.ok) begin(); else login("The token is not valid.");
  });

  $("file").addEventListener("change", async () => {
    const file = $("file").files[0];
    if (file) $("spec").value = await file.text();
  });

  $("submit").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("submit").querySelector("button");
    button.disabled = true;
    try {
      const data = $("data").files[0];
      if (data) await ask(`/data/${encodeURIComponent(data.name)}`, { method: "PUT", headers: { "Content-Type": "application/octet-stream" }, body: data });
      const submission = await ask(data ? "/studies?data=uploads" : "/studies", { method: "POST", headers: { "Content-Type": "application/toml" }, body: $("spec").value });
      tell($("said"), `${submission.name} is ${submission.state}.`, "done");
      location.hash = `study=${encodeURIComponent(submission.name)}`;
    } catch (error) {
      tell($("said"), error.message, "caution");
    } finally {
      button.disabled = false;
    }
  });

  $("cancel").addEventListener("click", async () => {
    try {
      const submission = await ask(`${at(chosen)}/cancel`, { method: "POST" });
      tell($("cancel-said"), submission.state === "running" ? "Stopping; finished trials are kept." : "");
    } catch (error) {
      tell($("cancel-said"), error.message);
    }
  });

  $("all").addEventListener("click", () => { all = true; showList(); });
  addEventListener("resize", thinOut);
  addEventListener("hashchange", () => { tell($("cancel-said"), ""); show(); if (location.hash.startsWith("#study=")) $("name").focus({ preventScroll: true }); });
  begin();
})();
