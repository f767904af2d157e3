// @ts-check
/**
 * Things of a timeline that can be pointed at: bars, and marks. An item is a number: a bar's index, or the number of
 * bars plus the index of a mark. Finding them under the pointer, moving between them, and saying what they are.
 */
import { barFacts, barKey, durationText, instantText, isBad, MARK_KINDS, OUTCOMES, OUTCOME_WORDS, SIGNS, sinceText } from "./timeline-data.js";
import { barEnd, xOf } from "./timeline-scene.js";

/** The mark that an item is, or -1. */
export const markOf = (data, item) => item - data.columns.bar_lane.length;
export const itemStart = (data, item) =>
  markOf(data, item) < 0 ? data.columns.bar_start[item] : data.columns.mark_start[markOf(data, item)];
export const itemLane = (data, item) =>
  markOf(data, item) < 0 ? data.columns.bar_lane[item] : data.columns.mark_lane[markOf(data, item)];
export const itemBad = (data, item) =>
  isBad(markOf(data, item) < 0 ? data.columns.bar_outcome[item] : data.columns.mark_outcome[markOf(data, item)]);

/** A name of an item that outlives updates. */
export function itemKey(data, item) {
  const mark = markOf(data, item);
  return mark < 0 ? barKey(data, item) : `mark ${data.texts[data.columns.lane_owner[data.columns.mark_lane[mark]]]} ${data.columns.mark_event[mark]}`;
}

/** The item of that name in newer data, or -1. @param {import("./timeline-data.js").TimelineData} data @param {string} key */
export function itemOfKey(data, key) {
  const count = data.columns.bar_lane.length + data.columns.mark_lane.length;
  for (let item = 0; item < count; item++) if (itemKey(data, item) === key) return item;
  return -1;
}

/** Row at a height, or -1. @param {import("./timeline-scene.js").Scene} scene @param {number} y from the top of all rows */
export function rowAt(scene, y) {
  const { rows } = scene;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].y + rows[middle].height <= y) low = middle + 1;
    else high = middle;
  }
  return low < rows.length && y >= rows[low].y ? low : -1;
}

/** Item under the pointer, or -1: marks win over bars, solid bars over lines, near ones over far ones. */
export function itemAt(scene, x, y) {
  const row = scene.rows[rowAt(scene, y)];
  if (!row || row.type === "group") return -1;
  const { data } = scene;
  let found = -1;
  let best = 6;
  for (const mark of row.marks) {
    const begin = xOf(scene, data.columns.mark_start[mark]);
    const far = MARK_KINDS[data.columns.mark_kind[mark]] === "close" ? Math.abs(x - begin - 8) : Math.abs(x - begin);
    if (MARK_KINDS[data.columns.mark_kind[mark]] !== "start" && far < best) {
      best = far;
      found = data.columns.bar_lane.length + mark;
    }
  }
  if (found >= 0) return found;
  best = 4;
  for (const bar of row.bars) {
    const begin = xOf(scene, data.columns.bar_start[bar]);
    const end = Math.max(xOf(scene, barEnd(scene, bar)), begin + 1.5);
    const line = data.columns.bar_kind[bar] === 1 || data.columns.bar_kind[bar] === 3 ? 0.5 : 0;
    const far = (x < begin ? begin - x : x > end ? x - end : 0) + line;
    if (far < best) {
      best = far;
      found = bar;
    }
  }
  return found;
}

/** Items of a row in order of time. */
export function rowItems(data, row) {
  if (row.type === "group") return [];
  const items = [...row.bars, ...row.marks.filter((m) => MARK_KINDS[data.columns.mark_kind[m]] !== "start")
    .map((mark) => data.columns.bar_lane.length + mark)];
  return row.marks.length ? items.sort((a, b) => itemStart(data, a) - itemStart(data, b)) : items;
}

/** Row that shows an item, or -1. */
export function rowOfItem(scene, item) {
  const mark = markOf(scene.data, item);
  if (mark < 0) return scene.barRow[item] ?? -1;
  return scene.rows.findIndex((row) => row.lane === scene.data.columns.mark_lane[mark]);
}

/**
 * What an item is, in words.
 * @returns {{title: string, sign: string, bad: boolean, said: string, lines: [string, string][], request: Object}}
 */
export function describeItem(scene, item) {
  const { data } = scene;
  const mark = markOf(data, item);
  if (mark >= 0) return describeMark(data, mark);
  const facts = barFacts(data, item);
  const end = barEnd(scene, item);
  /** @type {[string, string][]} */
  const lines = [];
  const title = facts.laneKind === "timer" ? `timer ${facts.ident}` : facts.type;
  if (facts.ident && facts.laneKind !== "timer") lines.push([facts.laneKind === "activity" ? "activity ID" : "workflow ID", facts.ident]);
  const state = facts.said ? `${facts.sign} ${facts.said}` : "";
  lines.push(["what", [facts.what, state].filter(Boolean).join(", ")]);
  lines.push(["took", durationText(end - facts.start)]);
  if (facts.kind === "run") {
    const waited = waitedBefore(scene, item);
    if (waited.queued) lines.push(["in the queue", durationText(waited.queued)]);
    if (waited.backoff) lines.push(["back-off before", durationText(waited.backoff)]);
  }
  lines.push(["began", `${instantText(facts.begins)}  (${sinceText(facts.start, 1000)})`]);
  if (facts.note) lines.push(["error", facts.note]);
  const request = {
    run: facts.owner, kind: facts.laneKind, event: facts.event, ident: facts.ident, attempt: facts.attempt, child: facts.run,
  };
  return { title, sign: facts.sign, bad: itemBad(data, item), said: facts.said || facts.what, lines, request };
}

function describeMark(data, mark) {
  const { columns: c, texts } = data;
  const kind = MARK_KINDS[c.mark_kind[mark]];
  const outcome = OUTCOMES[c.mark_outcome[mark]];
  const label = texts[c.mark_label[mark]];
  /** @type {[string, string][]} */
  const lines = [];
  const said = outcome ? OUTCOME_WORDS[outcome] : "";
  if (said) lines.push(["outcome", `${SIGNS[outcome]} ${said}`]);
  lines.push([kind === "task" || kind === "update" ? "began" : "at",
    `${instantText(data.head.start + c.mark_start[mark])}  (${sinceText(c.mark_start[mark], 1000)})`]);
  if (c.mark_end[mark] > c.mark_start[mark]) lines.push(["took", durationText(c.mark_end[mark] - c.mark_start[mark])]);
  lines.push(["event", String(c.mark_event[mark])]);
  if (texts[c.mark_note[mark]]) lines.push([isBad(c.mark_outcome[mark]) ? "error" : "note", texts[c.mark_note[mark]]]);
  const words = { signal: "signal ", update: "update ", cancel: "cancel requested ", marker: "marker " };
  const request = { run: texts[c.lane_owner[c.mark_lane[mark]]], kind: "event", event: c.mark_event[mark], ident: "", attempt: 0, child: "" };
  return { title: `${words[kind] ?? ""}${label}`.trim(), sign: SIGNS[outcome] ?? "", bad: isBad(c.mark_outcome[mark]), said, lines, request };
}

/** Time in the queue and in back-off just before an attempt. */
function waitedBefore(scene, bar) {
  const { columns: c } = scene.data;
  const waited = { queued: 0, backoff: 0 };
  for (let i = bar - 1; i >= 0 && c.bar_lane[i] === c.bar_lane[bar] && (c.bar_kind[i] === 1 || c.bar_kind[i] === 3); i--) {
    waited[c.bar_kind[i] === 1 ? "queued" : "backoff"] += c.bar_end[i] - c.bar_start[i];
  }
  return waited;
}

/** One line for a screen reader. */
export function sayItem(scene, item) {
  const { title, lines } = describeItem(scene, item);
  return `${title}. ${lines.map(([name, text]) => `${name} ${text}`).join(". ")}.`;
}
