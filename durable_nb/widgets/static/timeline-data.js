// @ts-check
/**
 * What a timeline is made of: reading the packed form, the time axis, and times as people read them.
 * Mirrors durable_nb/widgets/packing.py and analytics/time_axis.py. No DOM here.
 */

export const TIMELINE_VERSION = 1;
export const GROUP_KINDS = ["workflow", "activity", "child", "timer"];
export const LANE_KINDS = ["workflow", "messages", "activity", "child", "timer"];
export const BAR_KINDS = ["workflow", "queued", "run", "backoff", "wait", "child"];
export const MARK_KINDS = ["start", "close", "signal", "update", "task", "cancel", "marker", "external"];
export const OUTCOMES = ["", "completed", "failed", "timed_out", "canceled", "lost", "fired"];
export const RUN_BAR = 2;

/** What ended a bar: never told by colour alone. */
export const SIGNS = { "": "…", completed: "✓", failed: "✗", timed_out: "◷", canceled: "⊘", lost: "☠", fired: "✓" };
export const OUTCOME_WORDS = {
  "": "still open", completed: "completed", failed: "failed", timed_out: "timed out",
  canceled: "canceled", lost: "lost", fired: "fired",
};
const BAD_OUTCOMES = new Set([2, 3, 5]);
const COLUMN_TYPES = { f8: Float64Array, u4: Uint32Array, i4: Int32Array, u1: Uint8Array };

/** Whether the outcome (a number) is a failure, a timeout or a loss. @param {number} outcome */
export const isBad = (outcome) => BAD_OUTCOMES.has(outcome);

/**
 * @typedef {Object} TimelineData
 * @property {Object} head header fields: start, end, now, open, status, workflow_id, run_id, workflow_type
 * @property {Object<string, any>} columns typed arrays by name
 * @property {string[]} texts
 * @property {TimeScale} axis the axis without idle time
 * @property {TimeScale} clock the axis with it
 */

/**
 * Read a packed timeline.
 * @param {DataView | ArrayBuffer | Uint8Array} buffer
 * @returns {TimelineData}
 * @throws {Error} not a timeline, or of a version that this page does not know
 */
export function decodeTimeline(buffer) {
  const bytes = buffer instanceof ArrayBuffer ? new Uint8Array(buffer)
    : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const decoder = new TextDecoder();
  if (bytes.length < 8 || decoder.decode(bytes.subarray(0, 4)) !== "DNTL") throw new Error("not a packed timeline");
  const size = new DataView(bytes.buffer, bytes.byteOffset + 4, 4).getUint32(0, true);
  const head = JSON.parse(decoder.decode(bytes.subarray(8, 8 + size)));
  if (head.version !== TIMELINE_VERSION) {
    throw new Error(`the timeline has version ${head.version}, this page reads ${TIMELINE_VERSION}: reload the page`);
  }
  const body = bytes.slice(8 + size); // a copy begins at an aligned address, as typed arrays need it
  /** @type {Object<string, any>} */
  const columns = {};
  for (const [name, [kind, offset, count]] of Object.entries(head.columns)) {
    columns[name] = new COLUMN_TYPES[kind](body.buffer, offset, count);
  }
  const [at, length] = head.texts;
  const blob = body.subarray(at, at + length);
  const offsets = columns.text_offset;
  const texts = [];
  for (let i = 0; i + 1 < offsets.length; i++) texts.push(decoder.decode(blob.subarray(offsets[i], offsets[i + 1])));
  const gaps = [];
  for (let i = 0; i < columns.break_start.length; i++) {
    gaps.push({ start: columns.break_start[i], end: columns.break_end[i], width: columns.break_width[i] });
  }
  return { head, columns, texts, axis: new TimeScale(head.end, gaps), clock: new TimeScale(head.end, []) };
}

/** Microseconds since the start to units of the axis and back; long idle stretches are narrow. */
export class TimeScale {
  /** @param {number} end @param {{start: number, end: number, width: number}[]} gaps */
  constructor(end, gaps) {
    this.end = end;
    this.gaps = gaps;
    this.times = [0];
    this.units = [0];
    for (const gap of gaps) {
      this.units.push(this.units[this.units.length - 1] + gap.start - this.times[this.times.length - 1]);
      this.times.push(gap.start);
      this.units.push(this.units[this.units.length - 1] + gap.width);
      this.times.push(gap.end);
    }
  }

  get length() { return this.unit(this.end); }

  /** @param {number} time */
  unit(time) { return this.map(this.times, this.units, time); }

  /** @param {number} unit */
  time(unit) { return this.map(this.units, this.times, unit); }

  /** @param {number[]} from @param {number[]} to @param {number} value */
  map(from, to, value) {
    if (from.length === 1) return value;
    const i = Math.max(0, lowerBound(from, value, 0, from.length, true) - 1);
    if (i % 2 && i + 1 < from.length) {
      return to[i] + ((value - from[i]) * (to[i + 1] - to[i])) / (from[i + 1] - from[i]);
    }
    return to[i] + value - from[i];
  }
}

/**
 * First index in [low, high) whose value is >= `value` (> with `after`); `values` ascend.
 * @param {ArrayLike<number>} values @param {number} value @param {number} low @param {number} high @param {boolean} after
 */
export function lowerBound(values, value, low = 0, high = values.length, after = false) {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value || (after && values[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A length of time in the two units that matter. @param {number} us microseconds */
export function durationText(us) {
  if (us < 0) return `-${durationText(-us)}`;
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 10_000) return `${(us / 1000).toFixed(1)} ms`;
  if (us < 1_000_000) return `${Math.round(us / 1000)} ms`;
  const seconds = us / 1_000_000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.floor(seconds);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86_400)} d ${two(Math.floor((whole % 86_400) / 3600))} h`;
}

/** A length of time in one unit: `24 h`. @param {number} us microseconds */
export function shortDuration(us) {
  const [unit, name] = [[86_400e6, "d"], [3600e6, "h"], [60e6, "min"], [1e6, "s"]].find(([size]) => us >= Number(size) * 1.95) ?? [1e3, "ms"];
  return `${Math.round(us / Number(unit)).toLocaleString("en")} ${name}`;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Wall-clock time of the browser's zone. @param {number} us since the epoch @param {number} step us between ticks */
export function clockText(us, step) {
  const date = new Date(us / 1000);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const isMidnight = step >= 60_000_000 && date.getHours() + date.getMinutes() === 0;
  if (step >= 86_400_000_000 || isMidnight) return `${MONTHS[date.getMonth()]} ${date.getDate()}`;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step >= 60_000_000) return minutes;
  const seconds = `${minutes}:${two(date.getSeconds())}`;
  if (step >= 1_000_000) return seconds;
  const micro = String(Math.round(((us % 1e6) + 1e6) % 1e6) % 1e6).padStart(6, "0");
  return `${seconds}.${micro.slice(0, step >= 100_000 ? 1 : step >= 1000 ? 3 : 6)}`;
}

/** Time since the start, as fine as the ticks: `+350 ms`, `+1:42.5`, `+1 d 0:00:07`. @param {number} us @param {number} step */
export function sinceText(us, step) {
  if (us === 0) return "0";
  if (us < 0) return `−${sinceText(-us, step).slice(1)}`;
  const digits = step >= 1e6 ? 0 : step >= 1e5 ? 1 : step >= 1e3 ? 3 : 6;
  if (us < 1e6) return `+${us < 1000 ? `${Math.round(us)} µs` : `${parseFloat((us / 1000).toFixed(step < 1000 ? 3 : 0))} ms`}`;
  if (us < 60e6) return `+${(us / 1e6).toFixed(digits)} s`;
  const two = (/** @type {number} */ n, /** @type {number} */ places) => n.toFixed(places).padStart(places ? 3 + places : 2, "0");
  const unit = 10 ** digits;
  const seconds = Math.floor((us / 1e6) * unit + 1e-6) / unit;
  const rest = two(seconds % 60, digits);
  const minutes = Math.floor(seconds / 60) % 60;
  if (seconds < 3600) return `+${minutes}:${rest}`;
  const hours = Math.floor(seconds / 3600) % 24;
  const days = Math.floor(seconds / 86_400);
  return `+${days ? `${days} d ` : ""}${hours}:${two(minutes, 0)}:${rest}`;
}

/** Date and time with milliseconds. @param {number} us since the epoch */
export function instantText(us) {
  const date = new Date(us / 1000);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockText(us, 1000)}`;
}

/** The browser's zone as ``UTC+01:00``. @param {number} us since the epoch */
export function zoneText(us) {
  const offset = -new Date(us / 1000).getTimezoneOffset();
  if (!offset) return "UTC";
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `UTC${offset < 0 ? "−" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
}

const TICK_STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1.5e7, 3e7,
  6e7, 1.2e8, 3e8, 6e8, 9e8, 1.8e9, 3.6e9, 7.2e9, 1.08e10, 2.16e10, 4.32e10, 8.64e10, 1.728e11, 6.048e11, 2.592e12,
];

/** The smallest pleasant step between ticks that is at least `us`. @param {number} us */
export const tickStep = (us) => TICK_STEPS.find((step) => step >= us) ?? Math.ceil(us / 3.1536e13) * 3.1536e13;

/**
 * What is known of a bar without asking the kernel.
 * @param {TimelineData} data @param {number} bar
 */
export function barFacts(data, bar) {
  const { columns: c, texts, head } = data;
  const lane = c.bar_lane[bar];
  const kind = BAR_KINDS[c.bar_kind[bar]];
  const outcome = OUTCOMES[c.bar_outcome[bar]];
  const words = {
    workflow: "workflow", queued: "in the queue", run: "attempt", backoff: "waits to retry", wait: "timer", child: "child",
  };
  return {
    lane, kind, outcome,
    type: texts[c.lane_label[lane]],
    ident: texts[c.lane_ident[lane]],
    owner: texts[c.lane_owner[lane]],
    run: texts[c.lane_run[lane]],
    event: c.lane_event[lane],
    laneKind: LANE_KINDS[c.lane_kind[lane]],
    attempt: c.bar_attempt[bar],
    what: kind === "run" ? `attempt ${c.bar_attempt[bar]}` : words[kind],
    start: c.bar_start[bar],
    end: c.bar_end[bar],
    begins: head.start + c.bar_start[bar],
    note: texts[c.bar_note[bar]],
    sign: kind === "queued" || kind === "backoff" ? "" : SIGNS[outcome],
    said: kind === "queued" || kind === "backoff" ? "" : OUTCOME_WORDS[outcome],
  };
}

/** A name of a bar that outlives updates. @param {TimelineData} data @param {number} bar */
export function barKey(data, bar) {
  const { columns: c } = data;
  return `${laneKey(data, c.bar_lane[bar])}|${c.bar_kind[bar]}|${c.bar_attempt[bar]}`;
}

/** A name of a lane that outlives updates. @param {TimelineData} data @param {number} lane */
export function laneKey(data, lane) {
  const { columns: c, texts } = data;
  const ident = texts[c.lane_ident[lane]];
  return `${texts[c.lane_owner[lane]]}|${c.lane_kind[lane]}|${ident || c.lane_event[lane]}`;
}

/** A name of a group that outlives updates. @param {TimelineData} data @param {number} group */
export function groupKey(data, group) {
  const { columns: c, texts } = data;
  const parent = c.group_parent[group];
  return `${parent < 0 ? "" : laneKey(data, parent)}>${c.group_kind[group]}|${texts[c.group_label[group]]}`;
}
