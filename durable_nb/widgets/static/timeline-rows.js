// @ts-check
/**
 * Which rows a timeline shows, from top to bottom: group headings, a row for each lane, or lanes of a large group
 * packed side by side into few rows. Filters and what is folded decide here. No DOM.
 */
import { groupKey, isBad, laneKey, LANE_KINDS, RUN_BAR } from "./timeline-data.js";

export const ROW_HEIGHT = 22;
export const TRACK_HEIGHT = 16;
/** Lanes of a group above which they are packed instead of having a row each. */
export const MANY_LANES = 12;

/**
 * @typedef {Object} TimelineRow
 * @property {"group"|"lane"|"track"} type
 * @property {number} y
 * @property {number} height
 * @property {number} depth
 * @property {number} group
 * @property {number} lane -1 for headings and tracks
 * @property {string} label
 * @property {string} aside small text at the right of the label
 * @property {string} fold "open", "folded", "unread" (a child whose run was not read) or ""
 * @property {string} key what folding refers to
 * @property {number[]} bars sorted by start
 * @property {number[]} marks sorted by start
 * @property {number} failed bars that failed
 */

/**
 * @param {import("./timeline-data.js").TimelineData} data
 * @param {{folded: Set<string>, failedOnly: boolean, query: string, spread: boolean}} state
 * @returns {{rows: TimelineRow[], height: number, lanesShown: number, lanes: number, barRow: Int32Array}}
 */
export function makeRows(data, state) {
  const index = indexLanes(data);
  const shown = filterLanes(data, index, state);
  /** @type {TimelineRow[]} */
  const rows = [];
  const barRow = new Int32Array(data.columns.bar_lane.length).fill(-1);
  let y = 0;
  let lanesShown = 0;

  const push = (/** @type {Partial<TimelineRow>} */ row) => {
    const full = /** @type {TimelineRow} */ ({
      y, height: ROW_HEIGHT, lane: -1, aside: "", fold: "", key: "", bars: [], marks: [], failed: 0, ...row,
    });
    if (full.type !== "group") for (const bar of full.bars) barRow[bar] = rows.length;
    rows.push(full);
    y += full.height;
  };

  const addLane = (/** @type {number} */ lane, /** @type {number} */ group, /** @type {number} */ depth, /** @type {boolean} */ alone) => {
    const key = laneKey(data, lane);
    const nested = index.nested.get(lane) ?? [];
    const isChild = LANE_KINDS[data.columns.lane_kind[lane]] === "child" && data.texts[data.columns.lane_run[lane]] !== "";
    const folded = state.folded.has(key);
    const fold = nested.length ? (folded ? "folded" : "open") : isChild ? "unread" : "";
    const type = data.texts[data.columns.lane_label[lane]];
    const ident = data.texts[data.columns.lane_ident[lane]];
    push({
      type: "lane", group, lane, depth, key, fold,
      label: alone ? type : ident || type, aside: alone ? ident : "",
      bars: index.bars[lane], marks: index.marks[lane], failed: failures(data, index.bars[lane]),
    });
    if (fold === "open") for (const inner of nested) addGroup(inner, depth + 1);
  };

  const addGroup = (/** @type {number} */ group, /** @type {number} */ depth) => {
    const lanes = index.lanes[group].filter((lane) => shown[lane]);
    if (!lanes.length) return;
    lanesShown += lanes.length;
    if (lanes.length === 1 || data.columns.group_kind[group] === 0) {
      for (const lane of lanes) addLane(lane, group, depth, true);
      return;
    }
    const key = groupKey(data, group);
    const folded = state.folded.has(key);
    const all = lanes.flatMap((lane) => index.bars[lane]);
    push({
      type: "group", group, depth, key, fold: folded ? "folded" : "open", label: data.texts[data.columns.group_label[group]],
      aside: lanes.length.toLocaleString("en"), failed: failures(data, all),
      bars: folded ? all.sort((a, b) => data.columns.bar_start[a] - data.columns.bar_start[b]) : [],
    });
    if (folded) return;
    // Children keep a row of their own: their runs unfold below them.
    if (lanes.length > MANY_LANES && !state.spread && data.columns.group_kind[group] !== 2) {
      for (const track of packLanes(data, index, lanes)) {
        push({ type: "track", group, depth, height: TRACK_HEIGHT, label: "", bars: track, failed: 0 });
      }
    } else for (const lane of lanes) addLane(lane, group, depth + 1, false);
  };

  for (let group = 0; group < index.lanes.length; group++) if (data.columns.group_parent[group] < 0) addGroup(group, 0);
  return { rows, height: y, lanesShown, lanes: shown.length, barRow };
}

/** Bars, marks and nested groups by lane; lanes by group. @param {import("./timeline-data.js").TimelineData} data */
function indexLanes(data) {
  const { columns: c } = data;
  const known = INDEXES.get(data);
  if (known) return known;
  const lanes = Array.from(c.group_label, () => /** @type {number[]} */ ([]));
  c.lane_group.forEach((/** @type {number} */ group, /** @type {number} */ lane) => lanes[group].push(lane));
  const bars = Array.from(c.lane_group, () => /** @type {number[]} */ ([]));
  c.bar_lane.forEach((/** @type {number} */ lane, /** @type {number} */ bar) => bars[lane].push(bar));
  const marks = Array.from(c.lane_group, () => /** @type {number[]} */ ([]));
  c.mark_lane.forEach((/** @type {number} */ lane, /** @type {number} */ mark) => marks[lane].push(mark));
  /** @type {Map<number, number[]>} */
  const nested = new Map();
  c.group_parent.forEach((/** @type {number} */ lane, /** @type {number} */ group) => {
    if (lane >= 0) nested.set(lane, [...(nested.get(lane) ?? []), group]);
  });
  const index = { lanes, bars, marks, nested };
  INDEXES.set(data, index);
  return index;
}

/** @type {WeakMap<object, {lanes: number[][], bars: number[][], marks: number[][], nested: Map<number, number[]>}>} */
const INDEXES = new WeakMap();

/** Lanes that the filters leave, and the lanes of children above those. */
function filterLanes(data, index, state) {
  const { columns: c, texts } = data;
  const shown = new Uint8Array(c.lane_group.length).fill(1);
  const query = state.query.trim().toLowerCase();
  if (!query && !state.failedOnly) return shown;
  const matching = texts.map((/** @type {string} */ text) => query !== "" && text.toLowerCase().includes(query));
  for (let lane = 0; lane < shown.length; lane++) {
    const bars = index.bars[lane];
    const marks = index.marks[lane];
    const fails = failures(data, bars) > 0 || marks.some((mark) => isBad(c.mark_outcome[mark]));
    const found = !query || matching[c.lane_label[lane]] || matching[c.lane_ident[lane]]
      || bars.some((bar) => matching[c.bar_note[bar]])
      || marks.some((mark) => matching[c.mark_label[mark]] || matching[c.mark_note[mark]]);
    shown[lane] = (!state.failedOnly || fails) && found ? 1 : 0;
  }
  // The way from a hit to the top must be seen. Groups come after their parent lane, so go backwards.
  for (let lane = shown.length - 1; lane >= 0; lane--) {
    const parent = c.group_parent[c.lane_group[lane]];
    if (shown[lane] && parent >= 0) shown[parent] = 1;
  }
  return shown;
}

/** @param {number[]} bars */
function failures(data, bars) {
  let count = 0;
  for (const bar of bars) if (data.columns.bar_kind[bar] !== 0 && isBad(data.columns.bar_outcome[bar])) count++;
  return count;
}

/** Lanes put side by side into as few rows as go without overlap: each in the first row that is free. */
function packLanes(data, index, lanes) {
  const { bar_start: start, bar_end: end } = data.columns;
  const drawn = lanes.filter((lane) => index.bars[lane].length);
  const begin = (/** @type {number} */ lane) => start[index.bars[lane][0]];
  drawn.sort((a, b) => begin(a) - begin(b));
  /** @type {number[][]} */
  const tracks = [];
  // A heap of (end, track): the track that is free first.
  /** @type {{end: number, track: number}[]} */
  const free = [];
  for (const lane of drawn) {
    const bars = index.bars[lane];
    const finish = Math.max(end[bars[bars.length - 1]], begin(lane) + 1);
    if (free.length && free[0].end <= begin(lane)) {
      const top = free[0];
      tracks[top.track].push(...bars);
      top.end = finish;
      siftDown(free);
    } else {
      tracks.push([...bars]);
      free.push({ end: finish, track: tracks.length - 1 });
      siftUp(free);
    }
  }
  return tracks;
}

function siftDown(heap) {
  let i = 0;
  for (;;) {
    const left = 2 * i + 1;
    let least = i;
    if (left < heap.length && heap[left].end < heap[least].end) least = left;
    if (left + 1 < heap.length && heap[left + 1].end < heap[least].end) least = left + 1;
    if (least === i) return;
    [heap[i], heap[least]] = [heap[least], heap[i]];
    i = least;
  }
}

function siftUp(heap) {
  let i = heap.length - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent].end <= heap[i].end) return;
    [heap[i], heap[parent]] = [heap[parent], heap[i]];
    i = parent;
  }
}

/**
 * Sums of what overlaps a range of time, for the summary of a selection.
 * @param {import("./timeline-data.js").TimelineData} data @param {number} from @param {number} to microseconds since the start
 */
export function summarise(data, from, to) {
  const { columns: c } = data;
  const sum = { attempts: 0, failed: 0, running: 0, queued: 0, backoff: 0 };
  for (let bar = 0; bar < c.bar_start.length; bar++) {
    if (c.bar_end[bar] < from || c.bar_start[bar] > to) continue;
    const overlap = Math.max(0, Math.min(to, c.bar_end[bar]) - Math.max(from, c.bar_start[bar]));
    if (c.bar_kind[bar] === RUN_BAR) {
      sum.attempts++;
      sum.running += overlap;
      if (isBad(c.bar_outcome[bar])) sum.failed++;
    } else if (c.bar_kind[bar] === 1) sum.queued += overlap;
    else if (c.bar_kind[bar] === 3) sum.backoff += overlap;
  }
  return sum;
}
