"use strict";
// What the page does beside being read. Every word of a stranger goes through textContent, never through markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const parsed = new Map();
  const blob = (name) => {
    if (!parsed.has(name)) parsed.set(name, JSON.parse(byId(name).textContent));
    return parsed.get(name);
  };
  const records = (name) => {
    const { fields, rows } = blob(`data-${name}`);
    return rows.map((row) => Object.fromEntries(fields.map((field, i) => [field, row[i]])));
  };
  const make = (tag, text, attributes = {}) => {
    const element = Object.assign(document.createElement(tag), attributes);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // ---------------------------------------------------------------- the main table
  const table = byId("results");
  const key = (row, by) => {
    if (by === "name") return row.dataset.name;
    const text = by === "n" ? row.dataset.n : row.querySelector(`td[data-column="${by}"]`).dataset.value;
    return text === "" ? null : parseFloat(text);
  };
  const compare = (a, b, direction) => {
    if (a === null || b === null) return (a === null) - (b === null); // nothing known stays last
    return direction * (typeof a === "string" ? a.localeCompare(b) : a - b);
  };
  const first = all("tbody", table).map((body) => [body, all("tr:not(.group)", body)]);
  const sort = (button) => {
    const head = button.closest("th");
    const numeric = button.dataset.sort !== "name";
    const cycle = numeric ? ["none", "descending", "ascending"] : ["none", "ascending", "descending"];
    const next = cycle[(cycle.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
    all("thead th", table).forEach((th) => th.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", next);
    for (const [body, rows] of first) {
      const direction = next === "ascending" ? 1 : -1;
      const order = next === "none" ? rows : [...rows].sort((a, b) => compare(key(a, button.dataset.sort), key(b, button.dataset.sort), direction));
      body.append(...order);
    }
  };
  all("thead button", table).forEach((button) => button.addEventListener("click", () => sort(button)));

  const filter = (field, rows, words, told) => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = words(row).toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    told.textContent = wanted.length ? `${shown} of ${rows.length} shown` : "";
  };
  byId("filter").addEventListener("input", (event) => {
    const rows = all("tbody tr:not(.group)", table);
    filter(event.target, rows, (row) => `${row.dataset.name} ${row.parentElement.dataset.group} ${row.className}`, byId("found"));
    for (const [body, its] of first) all("tr.group", body).forEach((row) => { row.hidden = its.every((each) => each.hidden); });
  });
  byId("filter-runs").addEventListener("input", (event) => {
    filter(event.target, all("#all-runs > tbody > tr"), (row) => row.dataset.text, byId("found-runs"));
  });
  const toggle = (id, name) => byId(id)?.addEventListener("change", (event) => table.classList.toggle(name, !event.target.checked));
  toggle("show-std", "hide-std");
  toggle("show-delta", "hide-delta");
  all("input.column").forEach((box) => box.addEventListener("change", () => {
    all(`[data-column="${box.value}"]`, table).forEach((cell) => { cell.hidden = !box.checked; });
  }));
  const menu = document.querySelector("details.menu");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });

  // ---------------------------------------------------------------- themes
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const themes = ["automatic", "light", "dark"];
  let theme = "automatic", printing = false;
  const dark = () => !printing && (theme === "dark" || (theme === "automatic" && system.matches));
  const remember = (value) => { try { localStorage.setItem("dalr-bench-theme", value); } catch { /* a page may be forbidden to */ } };
  const recall = () => { try { return localStorage.getItem("dalr-bench-theme"); } catch { return null; } };
  const wear = (name) => {
    theme = themes.includes(name) ? name : "automatic";
    if (theme === "automatic") delete root.dataset.theme; else root.dataset.theme = theme;
    byId("theme").textContent = `Theme: ${theme}`;
  };
  byId("theme").addEventListener("click", () => {
    wear(themes[(themes.indexOf(theme) + 1) % 3]);
    remember(theme);
    redraw();
  });
  system.addEventListener("change", () => redraw());

  // ---------------------------------------------------------------- charts
  const drawn = new Map(); // figure → { view, width, dark, chosen }
  const config = (width) => {
    const base = blob("themes")[dark() ? "dark" : "light"];
    return width < 560 ? { ...base, axisQuantitative: { tickCount: 4 }, axis: { ...base.axis, labelLimit: 110 } } : base;
  };
  const narrow = (part) => {
    if (part === null || typeof part !== "object") return;
    if (part.legend?.columns) part.legend.columns = 1;
    Object.values(part).forEach(narrow);
  };
  const shaped = (spec, width) => {
    const copy = structuredClone(spec);
    if (width < 560) narrow(copy);
    if (copy.width === "container") Object.assign(copy, { width, autosize: { type: "fit-x", contains: "padding" } });
    if (copy.vconcat) copy.vconcat.forEach((part) => { part.width = Math.max(160, width - 70); });
    return copy;
  };
  const chosen = (result, spec) => Object.fromEntries((spec.params ?? []).filter((each) => "value" in each).map((each) => [each.name, result.view.signal(each.name)]));
  let turn = Promise.resolve();
  const draw = (figure) => { turn = turn.then(() => drawNow(figure)).catch((error) => console.error(error)); return turn; };
  const drawNow = async (figure) => {
    const name = figure.dataset.figure;
    const { spec, data } = blob("figures")[name];
    const canvas = byId(`canvas-${name}`);
    const width = canvas.clientWidth;
    const before = drawn.get(figure);
    if (before && before.width === width && before.dark === dark()) return;
    const full = shaped(spec, width);
    const kept = before ? chosen(before.result, spec) : {};
    (full.params ?? []).forEach((each) => { if (each.name in kept) each.value = kept[each.name]; });
    full.datasets = Object.fromEntries(data.map((each) => [each, records(each)]));
    before?.result.finalize();
    const options = { mode: "vega-lite", ast: true, renderer: "svg", config: config(width), tooltip: { theme: dark() ? "dark" : "light" },
      actions: { export: true, source: false, compiled: false, editor: false }, downloadFileName: name, logLevel: 1 };
    drawn.set(figure, { result: await vegaEmbed(canvas, full, options), width, dark: dark() });
    canvas.classList.add("drawn");
    for (const each of ["role", "aria-label"]) canvas.removeAttribute(each); // the drawing says it itself now
  };
  const figures = all("figure.chart");
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "300px" });
  figures.forEach((figure) => seen.observe(figure));
  const redraw = () => Promise.all([...drawn.keys()].map(draw));
  let resting;
  addEventListener("resize", () => { clearTimeout(resting); resting = setTimeout(redraw, 200); });

  // Paper is white, and a chart nobody scrolled to is still wanted there.
  byId("print").addEventListener("click", async () => {
    printing = true;
    figures.forEach((figure) => seen.unobserve(figure));
    await Promise.all(figures.map(draw));
    print();
  });
  addEventListener("afterprint", () => { printing = false; redraw(); });

  // ---------------------------------------------------------------- what is filled in when it is opened
  const MOST = 500;
  const words = (value) => (value === null || value === undefined ? "–" : Array.isArray(value) ? value.join("; ") : String(value));
  all("details.numbers").forEach((details) => details.addEventListener("toggle", () => {
    const place = details.querySelector("div");
    if (!details.open || place.firstChild) return;
    const { fields, rows } = blob(`data-${blob("figures")[details.dataset.figure].shown}`);
    const made = make("table");
    if (rows.length > MOST) made.append(make("caption", `The first ${MOST} of ${rows.length} rows.`));
    const head = make("tr");
    head.append(...fields.map((field) => make("th", field, { scope: "col" })));
    made.append(make("thead"), make("tbody"));
    made.tHead.append(head);
    for (const row of rows.slice(0, MOST)) {
      const line = make("tr");
      line.append(...row.map((value) => make("td", words(value), { className: typeof value === "number" ? "" : "text" })));
      made.tBodies[0].append(line);
    }
    place.append(made);
  }));
  // `losses.rank.tau` is an option of the part at `losses.rank`; a label may itself hold dots.
  const valueAt = (node, path) => {
    if (path === "") return node;
    if (node === null || typeof node !== "object") return undefined;
    for (const inner of [node, node.options ?? {}]) {
      for (const key of Object.keys(inner)) {
        if (path !== key && !path.startsWith(`${key}.`)) continue;
        const found = valueAt(inner[key], path.slice(key.length + 1));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  const setBy = (config, origins) => {
    const made = make("table", "", { className: "origins" });
    made.append(make("caption", "Where each value was written: file, line and column, --set, or the component’s default."), make("thead"), make("tbody"));
    const head = make("tr");
    head.append(...["value", "is", "written"].map((each) => make("th", each, { scope: "col" })));
    made.tHead.append(head);
    for (const [path, origin] of Object.entries(origins)) {
      const line = make("tr");
      line.append(make("th", path, { scope: "row" }), make("td", JSON.stringify(valueAt(config, path)) ?? "", { className: "text" }), make("td", origin, { className: "text" }));
      made.tBodies[0].append(line);
    }
    return made;
  };
  all("details.run").forEach((details) => details.addEventListener("toggle", () => {
    const place = details.querySelector("pre");
    if (!details.open || !place || place.firstChild) return;
    const config = blob("configs")[details.dataset.run];
    place.textContent = JSON.stringify(config, null, 2);
    const { of, sets } = blob("origins");
    const origins = sets[of[details.dataset.run]];
    if (origins) details.querySelector(".set-by").append(setBy(config, origins));
  }));
  const open = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    byId(id)?.querySelector("details.run")?.setAttribute("open", "");
  };
  addEventListener("hashchange", open);
  wear(recall());
  open();
})();
