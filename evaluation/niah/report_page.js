"use strict";
// Everything shown comes in through textContent: answers and documents are data, never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const el = (name, cls, text) => {
  const node = document.createElement(name);
  if (cls) node.className = cls;
  if (text !== undefined && text !== null) node.textContent = String(text);
  return node;
};
let palette = "classic";
let chosen = 0;
let open = null;

const shade = (share) => {
  const stops = data.palettes[palette];
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2);
  return stops[i].map((a, k) => Math.round(a + (stops[i + 1][k] - a) * (at - i)));
};
const ink = (rgb) => {
  const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
};
const paint = (node, share) => {
  const rgb = shade(share);
  node.style.background = `rgb(${rgb})`;
  node.style.color = ink(rgb);
};
const name = (tokens) => tokens && tokens % 1024 === 0 ? `${tokens / 1024}K` : tokens.toLocaleString("en");
const percent = (share) => `${Math.round(share * 1000) / 10}%`;
const interval = (rate) => `${rate.low.toFixed(2)}–${rate.high.toFixed(2)}`;

function tabs() {
  const bar = $("tabs");
  bar.replaceChildren();
  data.panels.forEach((panel, i) => {
    const button = el("button", i === chosen ? "on" : "", `${panel.arm}, ${panel.task.replaceAll("_", " ")}`);
    button.setAttribute("aria-pressed", i === chosen);
    button.onclick = () => { chosen = i; open = null; show(); };
    bar.append(button);
  });
}

function map(panel) {
  const table = el("table", "map");
  table.setAttribute("aria-label", "Right answers by depth and length");
  const marks = new Map(panel.marks);
  const head = el("tr");
  head.append(el("th", "corner", "depth"));
  panel.lengths.forEach((length, i) => {
    const th = el("th", marks.has(i + 1) ? "mark" : "", "");
    if (marks.has(i + 1)) th.append(el("span", "marked", marks.get(i + 1)));
    head.append(th);
  });
  table.append(head);
  const cells = new Map(panel.cells.map((cell) => [`${cell.length}/${cell.depth}`, cell]));
  for (const depth of panel.depths) {
    const tr = el("tr");
    tr.append(el("th", "depth", percent(depth)));
    panel.lengths.forEach((length, i) => {
      const td = el("td", marks.has(i + 1) ? "mark" : "");
      td.append(cellButton(cells.get(`${length}/${depth}`), length, depth));
      tr.append(td);
    });
    table.append(tr);
  }
  const strip = el("tr", "strip");
  strip.append(el("th", "depth", "all depths"));
  panel.rows.forEach((row, i) => {
    const td = el("td", marks.has(i + 1) ? "mark" : "");
    const box = el("button", "cell");
    if (row.n) {
      paint(box, row.hits / row.n);
      box.append(el("b", "", `${row.hits}/${row.n}`), el("small", "", interval(row)));
    } else box.classList.add(row.invalid || row.leaks ? "void" : "blank");
    box.onclick = () => { open = { length: row.length, depth: null }; details(panel); };
    td.append(box);
    strip.append(td);
  });
  table.append(strip);
  const foot = el("tr");
  foot.append(el("th"));
  panel.rows.forEach((row) => foot.append(el("th", "length", name(row.length) + (row.exact ? "" : " ~"))));
  table.append(foot);
  return table;
}

function cellButton(cell, length, depth) {
  const box = el("button", "cell");
  const state = cell ? cell.state : "not run";
  if (state === "measured") {
    paint(box, cell.hits / cell.n);
    box.textContent = `${cell.hits}/${cell.n}`;
    if (cell.invalid || cell.errors) box.append(el("i", "some"));
    box.title = `${name(length)} at ${percent(depth)}: ${cell.hits} of ${cell.n}, 95% interval ${interval(cell)}`;
  } else {
    box.classList.add(state === "invalid" || state === "leak" ? "void" : "blank");
    if (state !== "not run") box.append(el("span", "tag", state === "leak" ? "known" : state));
    box.title = `${name(length)} at ${percent(depth)}: ${state}`;
  }
  box.setAttribute("aria-label", box.title);
  box.onclick = () => { open = { length, depth }; details(data.panels[chosen]); $("details").scrollIntoView({ block: "nearest" }); };
  return box;
}

function stages(panel) {
  const figure = el("div", "stages");
  const used = data.stages.filter((stage) => stage.id !== "RIGHT" && panel.rows.some((row) => row.stages[stage.id]));
  for (const row of panel.rows) {
    const total = Object.values(row.stages).reduce((a, b) => a + b, 0);
    const column = el("div", "column");
    const bar = el("div", "bar");
    for (const stage of [...used].reverse()) {
      const count = row.stages[stage.id] || 0;
      if (!count) continue;
      const part = el("div");
      part.style.height = `${100 * count / total}%`;
      part.style.background = stage.colour;
      part.title = `${stage.words}: ${count} of ${total}`;
      bar.append(part);
    }
    // What has no valid answer is neither lost nor found.
    const valid = total - (row.stages.NO_ANSWER || 0);
    const lost = valid - (row.stages.RIGHT || 0);
    column.append(el("small", "", valid ? `${lost}/${valid}` : total ? "invalid" : "not run"), bar, el("span", "", name(row.length)));
    figure.append(column);
  }
  const legend = el("ul", "legend");
  for (const stage of [...used].reverse()) {
    const item = el("li");
    const dot = el("i");
    dot.style.background = stage.colour;
    item.append(dot, stage.words);
    legend.append(item);
  }
  const both = el("div", "both");
  both.append(figure, used.length ? legend : el("p", "quiet", "Nothing was lost."));
  return both;
}

function details(panel) {
  const box = $("details");
  box.replaceChildren();
  if (!open) {
    box.append(el("p", "quiet", "Choose a cell: its questions and answers appear here."));
    return;
  }
  const rows = data.rows.filter((row) => row.arm === panel.arm && row.length === open.length
    && (panel.task === "all" || row.task === panel.task) && (open.depth === null || row.depth === open.depth));
  const where = open.depth === null ? "all depths" : `depth ${percent(open.depth)}`;
  box.append(el("h2", "", `${name(open.length)}, ${where}: ${rows.length.toLocaleString("en")} rows`));
  const cell = open.depth === null ? panel.rows.find((row) => row.length === open.length)
    : panel.cells.find((one) => one.length === open.length && one.depth === open.depth);
  if (cell && cell.n) {
    let told = `${cell.hits} of ${cell.n} right, 95% interval ${interval(cell)}; mean score ${cell.fraction.toFixed(2)}`;
    if (cell.clustered) told += `; by haystack ${cell.clustered[0].toFixed(2)}–${cell.clustered[1].toFixed(2)}`;
    box.append(el("p", "", told));
  }
  const most = 200;
  for (const row of rows.slice(0, most)) box.append(card(row));
  if (rows.length > most) box.append(el("p", "quiet", `${rows.length - most} more are in rows.csv.`));
}

function card(row) {
  const good = row.status === "ok" && row.score === 1 && !row.stage;
  const node = el("article", good ? "good" : row.status === "ok" ? "bad" : "none");
  const head = el("header");
  head.append(el("b", "", row.status === "ok" ? `${row.verdict} (${row.score})` : row.status));
  if (row.stage) head.append(el("span", "stage", data.stages.find((one) => one.id === row.stage).words));
  head.append(el("span", "quiet", `${row.task.replaceAll("_", " ")}, trial ${row.trial}, depth ${percent(row.depth_actual ?? row.depth)}, ${row.language}, ${row.haystack}`));
  node.append(head);
  const list = el("dl");
  const add = (term, text) => { if (text !== "" && text !== null && text !== undefined) list.append(el("dt", "", term), el("dd", "", text)); };
  add("question", row.question);
  add("expected", row.expected.length ? row.expected.join("; ") : "that the text does not say it");
  add("answer", row.answer || (row.status === "ok" ? "(nothing)" : ""));
  add("named, and wrong", row.wrong.join("; "));
  add("judge", row.judge === null ? "" : String(row.judge));
  add("needle", row.needles.join("\n"));
  add("distractors", row.distractors.join("\n"));
  add("checks", row.trace);
  add("why", row.error);
  add("tokens", row.prompt_tokens === null ? "" : `${row.prompt_tokens.toLocaleString("en")} counted, ${row.server_tokens === null ? "none" : row.server_tokens.toLocaleString("en")} told by the server`);
  add("exact prompt", `hayloft eval niah show ${row.key.slice(0, 12)} --run ${data.run}`);
  node.append(list);
  return node;
}

function show() {
  tabs();
  const panel = data.panels[chosen];
  const main = $("figures");
  main.replaceChildren();
  if (!panel) { main.append(el("p", "quiet", "No row has been written yet.")); return; }
  main.append(el("p", "sentence", panel.effective_sentence), map(panel));
  if (panel.rows.some((row) => !row.exact)) {
    main.append(el("p", "quiet", "~: tokens are estimated from above; no vocabulary of the model was at hand."));
  }
  main.append(el("h2", "", "Where needles are lost"), stages(panel));
  details(panel);
}

$("palette").onchange = (event) => { palette = event.target.value; show(); };
show();
