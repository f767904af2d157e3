// @ts-check
/** The live list of runs: a table whose rows are drawn anew when they change, each with its time as one line. */
import { addStyle, palette, THEME_CSS, watchTheme } from "./theme.js";
import { Pulse } from "./pulse.js";
import { createStrip } from "./timeline-strip.js";
import { h, hideFallback, LIVE_CSS, localTime, spanText, Ticker, tookText } from "./live.js";

const SIGNS = { running: "●", completed: "✓", failed: "✗", "timed out": "⧖", terminated: "■", canceled: "⊘", "continued as new": "↻" };

export const RUNS_CSS = `
.dnbl-runs { padding: 4px 12px 8px; overflow-x: auto; }
.dnbl-runs td { white-space: nowrap; } .dnbl-runs td.dnbl-id { white-space: normal; min-width: 120px; }
`;

class RunsDisplay {
  /** @param {any} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.ticker = new Ticker();
    this.body = h("tbody");
    /** @type {Map<HTMLElement, {destroy: () => void}>} */
    this.strips = new Map();
    /** @type {Map<string, {key: string, element: HTMLElement}>} */
    this.drawn = new Map();
    const head = ["status", "workflow ID", "type", "started", "took", "timeline", "waits for"].map((text) => h("th", { scope: "col", textContent: text }));
    this.note = h("div", { className: "dnbl-part dnbl-dim", role: "status", "aria-live": "polite", hidden: true });
    this.root = h("section", { className: "dnb dnbl", "aria-label": "Workflow runs" },
      h("div", { className: "dnbl-runs" }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), this.body)), this.note);
    el.append(this.root);
    for (const css of [THEME_CSS, LIVE_CSS, RUNS_CSS]) addStyle(el, css);
    palette(this.root);
    this.stopTheme = watchTheme(this.root, () => palette(this.root));
    this.showAgain = hideFallback(model.get("fallback") ?? "");
    this.onRows = () => this.rows();
    this.onNote = () => this.notes();
    model.on("change:rows", this.onRows);
    model.on("change:link", this.onNote);
    model.on("change:note", this.onNote);
    this.pulse = new Pulse(model, () => this.notes());
    this.rows();
    this.notes();
    model.send({ kind: "seen" });
  }

  rows() {
    const rows = this.model.get("rows") ?? [];
    if (rows.length) this.ticker.set(Math.max(this.ticker.now(), ...rows.map((/** @type {any} */ row) => row.now)));
    const kept = new Map();
    const elements = rows.map((/** @type {any} */ row) => {
      const key = JSON.stringify({ ...row, now: 0 });
      const before = this.drawn.get(row.run_id);
      const element = before?.key === key ? before.element : this.row(row);
      kept.set(row.run_id, { key, element });
      return element;
    });
    for (const [id, { element }] of this.drawn) if (kept.get(id)?.element !== element) this.drop(element);
    this.drawn = kept;
    if (elements.length !== this.body.children.length || elements.some((element, index) => this.body.children[index] !== element)) {
      this.body.replaceChildren(...elements);
    }
    if (!rows.length) this.body.replaceChildren(h("tr", {}, h("td", { colSpan: 7, className: "dnbl-dim", textContent: "no workflow runs match" })));
  }

  /** @param {any} row */
  row(row) {
    const took = row.open
      ? this.ticker.text("span", "dnbl-num", (now) => spanText(now - row.started_at))
      : h("span", { className: "dnbl-num", textContent: tookText(row.closed_at - row.started_at) });
    return h("tr", {},
      h("td", {}, h("span", { className: `dnbl-${row.tone}`, textContent: `${SIGNS[row.status] ?? "●"} ${row.status}` })),
      h("td", { className: "dnbl-id", textContent: row.id, title: `run ${row.run_id}` }),
      h("td", { textContent: row.type }),
      h("td", { className: "dnbl-num", textContent: localTime(row.started_at) }),
      h("td", {}, took), h("td", {}, this.strip(row)), h("td", { className: "dnbl-dim", textContent: row.waits }));
  }

  /** The run's own time from left to right, idle time left out. @param {any} row */
  strip(row) {
    if (!row.strip) return h("span", { className: "dnbl-dim", textContent: "–" });
    const host = h("span");
    this.root.append(host);  // it reads its colours from where it stands
    const strip = createStrip(host, { open: row.open, width: 200 });
    strip.update(row.strip);
    this.strips.set(host, strip);
    return host;
  }

  /** @param {HTMLElement} element a row that is not shown any more */
  drop(element) {
    for (const [host, strip] of this.strips) {
      if (!element.contains(host)) continue;
      strip.destroy();
      this.strips.delete(host);
    }
  }

  notes() {
    const link = this.model.get("link") ?? {};
    const lost = link.state === "live" && this.pulse.lost ? `${this.pulse.lost}: this is the last known state.` : "";
    this.ticker.stands = Boolean(lost);
    const text = [link.message, lost, this.model.get("note")].filter(Boolean).join(" ");
    if (this.note.textContent !== text) this.note.textContent = text;
    this.note.hidden = !text;
  }

  destroy() {
    this.model.off("change:rows", this.onRows);
    this.model.off("change:link", this.onNote);
    this.model.off("change:note", this.onNote);
    try {
      this.model.send({ kind: "gone" });
    } catch { /* the kernel is gone already */ }
    this.pulse.stop();
    this.drop(this.root);
    this.ticker.stop();
    this.stopTheme();
    this.showAgain();
  }
}

function renderRuns({ model, el }) {
  const display = new RunsDisplay(model, el);
  return () => display.destroy();
}

export default { render: renderRuns };
