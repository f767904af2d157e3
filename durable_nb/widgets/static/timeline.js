// @ts-check
/**
 * The timeline of a run: `createTimeline(element, options) -> {update, select, destroy}`.
 *
 * One canvas shows the rows in view; a scroll container of its own gives native scrolling. Nothing here knows a
 * kernel: what must be asked for comes through `options`.
 */
import { AXIS_HEIGHT, drawAxis, drawOverview, OVERVIEW_HEIGHT, overviewLevels } from "./timeline-axis.js";
import { decodeTimeline, durationText, instantText, RUN_BAR, isBad, zoneText } from "./timeline-data.js";
import { drawRows } from "./timeline-draw.js";
import { listenToKeys, listenToPointer } from "./timeline-input.js";
import { describeItem, itemKey, itemOfKey, itemStart, rowOfItem, sayItem } from "./timeline-items.js";
import { fillTable, make, showDetails } from "./timeline-panels.js";
import { makeRows, summarise } from "./timeline-rows.js";
import { growBars, prepare, useScale, xOf } from "./timeline-scene.js";
import { TIMELINE_CSS } from "./timeline-style.js";
import { addStyle, palette, THEME_CSS, watchTheme } from "./theme.js";

const LEAST_UNITS = 20;
const GROWS_EVERY_MS = 200;

/** Pixels kept free left of the first instant, and right of the last: a mark there needs its width. */
const LEAD = 5, TRAIL = 20;

/**
 * @typedef {Object} TimelineOptions
 * @property {(request: Object) => Promise<{fields: [string, string][]}>} [details] payloads of an item, from the kernel
 * @property {(child: {run: string, workflow: string, open: boolean}) => void} [expand] a child's run is wanted
 * @property {(range: {from: number, to: number} | null) => void} [onRange] microseconds since the epoch
 * @property {number} [maxHeight] of the rows, CSS pixels
 */

/**
 * Draw a timeline in `element`.
 * @param {HTMLElement} element
 * @param {TimelineOptions} [options]
 */
export function createTimeline(element, options = {}) {
  const view = new TimelineView(element, options);
  return {
    /** Show a packed run. @param {DataView | ArrayBuffer | Uint8Array} buffer */
    update: (buffer) => view.update(buffer),
    /** Open the details of the item of that key (`null`: close them). @param {string | null} key */
    select: (key) => (key === null || !view.scene.data ? view.close() : view.open(itemOfKey(view.scene.data, key))),
    /** Say something above the bars, or nothing. @param {string} text */
    notice: (text) => view.notice(text),
    /** Whether this is the last known state: open bars stand still. @param {boolean} stands */
    stand: (stands) => { view.stands = stands; },
    destroy: () => view.destroy(),
    view,
  };
}

/** `1 attempt`, `3 attempts`. @param {number} n @param {string} one @param {string} many */
const counted = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

export class TimelineView {
  /** @param {HTMLElement} element @param {TimelineOptions} options */
  constructor(element, options) {
    this.options = options;
    this.state = { folded: new Set(), failedOnly: false, query: "", spread: false, compress: true, fit: true };
    this.scene = /** @type {any} */ ({
      rows: [], from: 0, to: 1, now: 0, scrollTop: 0, hovered: -1, focused: -1, opened: -1, range: null, width: 0, gutter: 220,
    });
    this.frame = 0;
    this.stands = false;
    this.second = -1;
    this.levels = null;
    this.timings = /** @type {number[]} */ ([]);
    this.stopped = new AbortController();
    this.build(element);
    this.colors();
    this.unwatch = watchTheme(this.root, () => this.colors());
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.root);
    this.clock = setInterval(() => this.grow(), GROWS_EVERY_MS);
    listenToPointer(this, this.stopped.signal);
    listenToKeys(this, this.stopped.signal);
  }

  /** @param {HTMLElement} element */
  build(element) {
    const root = (this.root = make("section", "dnb dnb-timeline", "", { "aria-label": "Timeline", "data-lm-suppress-shortcuts": "true" }));
    root["timelineView"] = this; // for tests and for the curious
    addStyle(root, THEME_CSS + TIMELINE_CSS);
    const bar = (this.bar = make("div", "dnb-bar", "", { role: "toolbar", "aria-label": "Timeline" }));
    this.title = make("span", "dnb-bar-title");
    this.search = /** @type {HTMLInputElement} */ (make("input", "dnb-search", "", {
      type: "search", placeholder: "Search type, ID, error", "aria-label": "Search by type, ID or error", spellcheck: "false",
    }));
    const on = this.stopped.signal;
    this.search.addEventListener("input", () => this.filter({ query: this.search.value }), { signal: on });
    const button = (text, label, pressed, act) => {
      const made = make("button", "dnb-button", text, { type: "button", title: label });
      if (text.length === 1) made.setAttribute("aria-label", label);
      if (pressed !== null) made.setAttribute("aria-pressed", String(pressed));
      made.addEventListener("click", act, { signal: on });
      return made;
    };
    this.failedButton = button("✗ Failed only", "Show only what failed (f)", false, () => this.filter({ failedOnly: !this.state.failedOnly }));
    this.idleButton = button("Skip idle", "Leave out long stretches in which nothing ran (i)", true, () => this.toggleIdle());
    this.spreadButton = button("Spread", "Give each activity a row of its own (r)", false, () => this.filter({ spread: !this.state.spread }));
    this.tableButton = button("Table", "Show everything as a table (t)", false, () => this.toggleTable());
    bar.append(
      this.title, this.search, this.failedButton, this.idleButton, this.spreadButton, this.tableButton, make("span", "dnb-grow"),
      button("−", "Zoom out (-)", null, () => this.zoom(1.6)), button("+", "Zoom in (+)", null, () => this.zoom(1 / 1.6)),
      button("Fit", "Show all of it (0)", null, () => this.fit()),
    );
    this.overview = /** @type {HTMLCanvasElement} */ (make("canvas", "dnb-overview", "", { "aria-hidden": "true" }));
    this.axis = /** @type {HTMLCanvasElement} */ (make("canvas", "dnb-axis", "", { "aria-hidden": "true", title: "Drag to select a range" }));
    this.scroll = make("div", "dnb-scroll", "", {
      tabindex: "0", role: "application", "aria-roledescription": "timeline",
      "aria-label": "Bars: arrow keys move, Enter opens, Escape closes, plus and minus zoom, f shows what failed, slash searches, t shows a table",
    });
    this.canvas = /** @type {HTMLCanvasElement} */ (make("canvas", "", "", { "aria-hidden": "true" }));
    this.spacer = make("div");
    this.scroll.append(this.canvas, this.spacer);
    this.noted = make("div", "dnb-notice", "", { role: "status" });
    this.noted.hidden = true;
    this.empty = make("div", "dnb-empty", "nothing has happened yet");
    this.status = make("div", "dnb-status");
    this.details = make("div", "dnb-details", "", { role: "region", "aria-label": "Details" });
    this.table = make("div", "dnb-table", "", { tabindex: "0", role: "region", "aria-label": "Table" });
    this.tip = make("div", "dnb-tip", "", { role: "tooltip" });
    this.live = make("div", "dnb-sr", "", { "aria-live": "polite" });
    this.details.hidden = this.table.hidden = this.tip.hidden = true;
    root.append(bar, this.noted, this.overview, this.axis, this.scroll, this.empty, this.status, this.details, this.table, this.tip, this.live);
    element.append(root);
  }

  /** @param {DataView | ArrayBuffer | Uint8Array} buffer */
  update(buffer) {
    const { scene } = this;
    const old = scene.data;
    let data;
    try {
      data = decodeTimeline(buffer);
    } catch (error) {
      this.empty.hidden = false;
      this.empty.textContent = `This timeline cannot be shown: ${error.message}`;
      return;
    }
    const keys = old ? [scene.focused, scene.opened].map((item) => (item < 0 ? "" : itemKey(old, item))) : ["", ""];
    const times = old ? [scene.scale.time(scene.from), scene.scale.time(scene.to)] : [0, 0];
    this.received = performance.now();
    scene.data = data;
    scene.now = data.head.now;
    useScale(scene, this.state.compress ? data.axis : data.clock);
    scene.hovered = -1;
    [scene.focused, scene.opened] = keys.map((key) => (key ? itemOfKey(data, key) : -1));
    if (!old || this.state.fit) this.fit();
    else [scene.from, scene.to] = [scene.scale.unit(times[0]), scene.scale.unit(times[1])];
    this.root.setAttribute("aria-label", `Timeline of ${data.head.workflow_type} ${data.head.workflow_id}`);
    this.title.textContent = data.head.workflow_id;
    this.title.title = `${data.head.workflow_type} ${data.head.workflow_id}, run ${data.head.run_id}`;
    const broken = data.axis.gaps.length > 0;
    this.idleButton.hidden = !broken;
    this.relayout();
  }

  /** Rows anew: after new data, a filter, a fold. */
  relayout() {
    const { scene } = this;
    if (!scene.data) return;
    const made = makeRows(scene.data, this.state);
    Object.assign(scene, made);
    this.levels = null;
    const limit = this.options.maxHeight ?? 420;
    scene.viewHeight = Math.max(44, Math.min(made.height + 4, limit));
    this.scroll.style.height = `${scene.viewHeight}px`;
    this.spacer.style.height = `${Math.max(0, made.height + 4 - scene.viewHeight)}px`;
    this.empty.hidden = made.rows.length > 0;
    this.scroll.hidden = !made.rows.length;
    if (!made.rows.length) this.empty.textContent = this.state.failedOnly && !this.state.query ? "nothing failed" : "nothing matches";
    this.showStatus();
    if (!this.table.hidden) fillTable(this.table, scene);
    this.redraw();
  }

  colors() {
    this.scene.colors = palette(this.root);
    this.root.style.setProperty("--dnb-failed", this.scene.colors.failed);
    this.redraw();
  }

  resized() {
    this.scene.width = Math.floor(this.root.clientWidth);
    this.scene.gutter = Math.round(Math.max(90, Math.min(240, this.scene.width * 0.26)));
    this.levels = null;
    if (this.state.fit && this.scene.data) this.fit();
    this.redraw();
  }

  /** Open bars grow by the browser's clock; nothing is sent for that. */
  grow() {
    const { scene } = this;
    if (!scene.data?.head.open || this.stands || document.hidden || !this.root.isConnected) return;
    scene.now = scene.data.head.now + (performance.now() - this.received) * 1000;
    scene.data.axis.end = scene.data.clock.end = Math.max(scene.data.head.end, scene.now);
    growBars(scene);
    if (this.state.fit) this.fit();
    const second = Math.floor(scene.now / 1e6);
    if (second !== this.second) {
      this.second = second;
      this.levels = null;
      if (!scene.range) this.showStatus();
    }
    this.redraw();
  }

  redraw() {
    if (!this.frame && !this.stopped.signal.aborted) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const { scene } = this;
    if (!scene.width) scene.width = Math.floor(this.root.clientWidth);
    if (!scene.data || scene.width < 60) return;
    const begun = performance.now();
    // The scroll bar takes its width from the rows only; all canvases keep to what is left.
    const inner = this.scroll.hidden ? scene.width : this.scroll.clientWidth || scene.width;
    const wide = scene.width;
    scene.width = inner;
    scene.scrollTop = this.scroll.scrollTop;
    scene.pixels = (inner - scene.gutter) / (scene.to - scene.from);
    drawRows(prepare(this.canvas, inner, scene.viewHeight), scene);
    drawAxis(prepare(this.axis, inner, AXIS_HEIGHT), scene, zoneText(scene.data.head.start));
    this.levels ??= overviewLevels(scene, Math.max(1, Math.floor((inner - scene.gutter) / 2)));
    drawOverview(prepare(this.overview, inner, OVERVIEW_HEIGHT), scene, this.levels);
    scene.width = wide;
    this.timings.push(performance.now() - begun);
    if (this.timings.length > 600) this.timings.splice(0, 300);
  }

  showStatus() {
    const { scene } = this;
    const { columns: c, head } = scene.data;
    if (scene.range) return this.showRange();
    let attempts = 0;
    let failed = 0;
    for (let bar = 0; bar < c.bar_kind.length; bar++) {
      if (c.bar_kind[bar] !== RUN_BAR) continue;
      attempts++;
      if (isBad(c.bar_outcome[bar])) failed++;
    }
    const activities = c.lane_kind.reduce((sum, kind) => sum + (kind === 2 ? 1 : 0), 0);
    const facts = make("span");
    facts.append(
      make("b", "", head.status.toLowerCase().replaceAll("_", " ")),
      ` · ${durationText(Math.max(head.end, scene.data.clock.end))} · ${counted(activities, "activity", "activities")} · ${counted(attempts, "attempt", "attempts")}`,
    );
    if (failed) facts.append(" · ", make("span", "dnb-bad", `✗ ${failed.toLocaleString("en")} failed`));
    if (scene.lanesShown < scene.lanes) facts.append(` · ${counted(scene.lanesShown, "lane", "lanes")} of ${scene.lanes.toLocaleString("en")} shown`);
    const legend = make("span", "dnb-legend", "", { "aria-hidden": "true" });
    for (const text of ["━ queue", "╍ back-off", "◆ signal", "● update", "✗ failed", "◷ timed out", "⊘ canceled", "… open"]) legend.append(make("span", "", text));
    this.status.replaceChildren(facts, legend);
  }

  showRange() {
    const { scene } = this;
    const { from, to } = scene.range;
    const sum = summarise(scene.data, from, to);
    const text = make("span");
    text.append(
      make("b", "", durationText(to - from)), ` from ${instantText(scene.data.head.start + from)} (+${durationText(from)}) · `,
      `${counted(sum.attempts, "attempt", "attempts")}, ${sum.failed.toLocaleString("en")} failed · running ${durationText(sum.running)}, `,
      `queue ${durationText(sum.queued)}, back-off ${durationText(sum.backoff)}`,
    );
    const act = (label, run) => {
      const made = make("button", "dnb-button", label, { type: "button" });
      made.addEventListener("click", run);
      return made;
    };
    this.status.replaceChildren(text, act("Zoom to it", () => this.show(from, to)), act("Clear", () => this.select(null)));
  }

  /** Select a range, microseconds since the start. @param {{from: number, to: number} | null} range */
  select(range, done = true) {
    const { scene } = this;
    scene.range = range && { from: Math.min(range.from, range.to), to: Math.max(range.from, range.to) };
    if (scene.data) this.showStatus();
    this.redraw();
    if (!done) return;
    const base = scene.data?.head.start ?? 0;
    this.options.onRange?.(scene.range && { from: base + Math.round(scene.range.from), to: base + Math.round(scene.range.to) });
    if (scene.range) this.say(this.status.textContent ?? "");
  }

  /** Put a range of time into view. @param {number} from @param {number} to */
  show(from, to) { this.look(this.scene.scale.unit(from), this.scene.scale.unit(to)); }

  /** First and last unit of a view of everything. */
  whole() {
    const { scale, width, gutter } = this.scene;
    const length = scale.length || LEAST_UNITS;
    const unit = length / Math.max(60, width - gutter - LEAD - TRAIL);
    return { from: -LEAD * unit, to: length + TRAIL * unit };
  }

  fit() {
    Object.assign(this.scene, this.whole());
    this.state.fit = true;
    this.redraw();
  }

  /** View these units, kept within what there is. @param {number} from @param {number} to */
  look(from, to) {
    const whole = this.whole();
    const most = whole.to - whole.from;
    const span = Math.min(Math.max(to - from, LEAST_UNITS), most);
    const low = Math.max(whole.from, Math.min((from + to - span) / 2, whole.to - span));
    this.scene.from = low;
    this.scene.to = low + span;
    this.state.fit = span >= most;
    this.redraw();
  }

  /** @param {number} factor below 1 comes nearer @param {number} [x] stays where it is */
  zoom(factor, x) {
    const { scene } = this;
    const share = x === undefined ? 0.5 : Math.max(0, Math.min(1, (x - scene.gutter) / (scene.width - scene.gutter)));
    const span = scene.to - scene.from;
    const held = scene.from + share * span;
    this.look(held - share * span * factor, held + (1 - share) * span * factor);
  }

  /** @param {number} pixels to the right */
  pan(pixels) {
    const shift = (pixels * (this.scene.to - this.scene.from)) / (this.scene.width - this.scene.gutter);
    this.look(this.scene.from + shift, this.scene.to + shift);
  }

  filter(change) {
    Object.assign(this.state, change);
    this.failedButton.setAttribute("aria-pressed", String(this.state.failedOnly));
    this.spreadButton.setAttribute("aria-pressed", String(this.state.spread));
    this.scroll.scrollTop = 0;
    this.relayout();
    if (this.scene.data) this.say(`${this.scene.lanesShown} of ${this.scene.lanes} lanes shown`);
  }

  toggleIdle() {
    const { scene, state } = this;
    const times = [scene.scale.time(scene.from), scene.scale.time(scene.to)];
    state.compress = !state.compress;
    this.idleButton.setAttribute("aria-pressed", String(state.compress));
    useScale(scene, state.compress ? scene.data.axis : scene.data.clock);
    this.levels = null;
    if (state.fit) this.fit();
    else this.show(times[0], times[1]);
  }

  toggleTable() {
    this.table.hidden = !this.table.hidden;
    this.tableButton.setAttribute("aria-pressed", String(!this.table.hidden));
    if (!this.table.hidden) fillTable(this.table, this.scene);
  }

  /** Fold or unfold a row; a child whose run was not read is asked for. */
  fold(row) {
    if (row.fold === "unread") {
      const c = this.scene.data.columns;
      const run = this.scene.data.texts[c.lane_run[row.lane]];
      const workflow = this.scene.data.texts[c.lane_ident[row.lane]];
      this.say(`asking for the run of ${workflow}`);
      this.options.expand?.({ run, workflow, open: true });
      return;
    }
    if (this.state.folded.has(row.key)) this.state.folded.delete(row.key);
    else this.state.folded.add(row.key);
    this.relayout();
  }

  /** Move the focus to an item and bring it into view. @param {number} item */
  focus(item) {
    const { scene } = this;
    scene.focused = item;
    if (item < 0) return this.redraw();
    const row = scene.rows[rowOfItem(scene, item)];
    if (row) {
      if (row.y < this.scroll.scrollTop) this.scroll.scrollTop = row.y;
      else if (row.y + row.height > this.scroll.scrollTop + scene.viewHeight) this.scroll.scrollTop = row.y + row.height - scene.viewHeight + 4;
    }
    const x = xOf(scene, itemStart(scene.data, item));
    if (x < scene.gutter || x > scene.width - 30) {
      const middle = scene.scale.unit(itemStart(scene.data, item));
      const span = scene.to - scene.from;
      this.look(middle - span / 2, middle + span / 2);
    }
    this.say(sayItem(scene, item));
    this.redraw();
  }

  /** Show the details of an item. @param {number} item */
  open(item) {
    if (item < 0) return;
    this.scene.opened = this.scene.focused = item;
    this.tip.hidden = true;
    const close = () => {
      this.close();
      this.scroll.focus({ preventScroll: true });
    };
    showDetails(this.details, describeItem(this.scene, item), this.options.details, close, (text) => this.say(text));
    this.redraw();
  }

  close() {
    this.scene.opened = -1;
    this.details.hidden = true;
    this.details.replaceChildren();
    this.redraw();
  }

  /** @param {string} text */
  notice(text) {
    this.noted.textContent = text;
    this.noted.hidden = !text;
  }

  /** @param {string} text */
  say(text) { this.live.textContent = text; }

  destroy() {
    this.stopped.abort();
    cancelAnimationFrame(this.frame);
    clearInterval(this.clock);
    this.unwatch();
    this.sizes.disconnect();
    this.root.remove();
  }
}
