// @ts-check
/** Drawing the rows of a timeline on a canvas: labels, bars, marks. Draws, decides nothing. */
import { BAR_KINDS, durationText, isBad, MARK_KINDS, OUTCOMES, SIGNS } from "./timeline-data.js";
import { drawRange, gapsInView, ticks } from "./timeline-axis.js";
import { barEnd, fitted, forgetFont, polygon, SMALL_TEXT, textWidth, useFont } from "./timeline-scene.js";

/** The rows that are in view. @param {CanvasRenderingContext2D} g @param {Scene} scene */
export function drawRows(g, scene) {
  const { colors, rows, scrollTop, viewHeight, width, gutter } = scene;
  filledWith = "";
  g.textBaseline = "middle";
  g.textAlign = "left";
  fill(g, colors.bg);
  g.fillRect(0, 0, width, viewHeight);
  let first = 0;
  let high = rows.length;
  while (first < high) {
    const middle = (first + high) >> 1;
    if (rows[middle].y + rows[middle].height <= scrollTop) first = middle + 1;
    else high = middle;
  }
  drawGround(g, scene, first);
  g.save();
  g.beginPath();
  g.rect(gutter, 0, width - gutter, viewHeight);
  g.clip();
  filledWith = "";
  const hatch = hatchPattern(g, colors);
  for (let i = first; i < rows.length && rows[i].y < scrollTop + viewHeight; i++) drawBars(g, scene, rows[i], hatch);
  drawRange(g, scene, 0, viewHeight);
  g.restore();
  forgetFont(g);
  filledWith = "";
  for (let i = first; i < rows.length && rows[i].y < scrollTop + viewHeight; i++) drawLabel(g, scene, rows[i]);
  fill(g, colors.line);
  g.fillRect(gutter - 1, 0, 1, viewHeight);
}

function drawGround(g, scene, first) {
  const { colors, rows, scrollTop, viewHeight, width } = scene;
  for (let i = first; i < rows.length && rows[i].y < scrollTop + viewHeight; i++) {
    const row = rows[i];
    if (row.type === "group") {
      g.fillStyle = colors.stripe;
      g.fillRect(0, row.y - scrollTop, width, row.height);
    }
    if (row.type !== "track" || rows[i - 1]?.type !== "track") {
      g.fillStyle = colors.grid;
      g.fillRect(0, Math.round(row.y - scrollTop), width, 1);
    }
  }
  g.fillStyle = colors.grid;
  for (const tick of ticks(scene)) g.fillRect(Math.round(tick.x), 0, 1, viewHeight);
  for (const gap of gapsInView(scene)) {
    g.fillStyle = colors.gap;
    g.fillRect(gap.x, 0, gap.wide, viewHeight);
    g.strokeStyle = colors.gapLine;
    g.lineWidth = 1;
    g.setLineDash([2, 4]);
    g.beginPath();
    for (const x of [gap.x, gap.x + gap.wide]) {
      g.moveTo(Math.round(x) + 0.5, 0);
      g.lineTo(Math.round(x) + 0.5, viewHeight);
    }
    g.stroke();
    g.setLineDash([]);
  }
}

let patternKey = "";
let patternMade = null;

/** Fine diagonal lines over what went wrong: a sign besides the colour, even on bars without room for a sign. */
function hatchPattern(g, colors) {
  const key = colors.hatch;
  if (patternMade && patternKey === key) return patternMade;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const t = tile.getContext("2d");
  t.strokeStyle = colors.hatch;
  t.lineWidth = 1.2;
  t.beginPath();
  for (const shift of [-6, 0, 6]) {
    t.moveTo(shift, 6);
    t.lineTo(shift + 6, 0);
  }
  t.stroke();
  patternKey = key;
  patternMade = g.createPattern(tile, "repeat");
  return patternMade;
}

function drawBars(g, scene, row, hatch) {
  const top = row.y - scene.scrollTop;
  if (row.type === "group") return drawDensity(g, scene, row, top);
  const { bars } = row;
  const { barFrom, barTo, pixels: k, from, to } = scene;
  const shift = scene.gutter - from * k;
  // Bars of a row follow each other, so only the one before the first in view can reach into it.
  let first = 0;
  let end = bars.length;
  while (first < end) {
    const middle = (first + end) >> 1;
    if (barFrom[bars[middle]] < from) first = middle + 1;
    else end = middle;
  }
  const thin = new ThinBars(g, scene, row, top);
  for (let i = Math.max(0, first - 1); i < bars.length; i++) {
    const bar = bars[i];
    if (barFrom[bar] > to) break;
    const x = barFrom[bar] * k + shift;
    const right = barTo[bar] * k + shift;
    if (right < scene.gutter) continue;
    if (right - x < THIN && bar !== scene.focused && bar !== scene.opened && bar !== scene.hovered) thin.add(bar, x, right);
    else drawBar(g, scene, row, bar, x, Math.min(right, scene.width + 20), top, hatch);
  }
  thin.flush();
  drawMarks(g, scene, row, top);
}

/** Width below which bars are drawn plainly, and neighbours that look alike as one. */
const THIN = 4;

/** Thousands of bars may share few pixels: what touches and looks alike is one rectangle. */
class ThinBars {
  constructor(g, scene, row, top) {
    const inset = row.type === "track" ? 2.5 : 4;
    Object.assign(this, { g, scene, y: top + inset, high: row.height - 2 * inset, left: 0, right: -1, look: "", notch: -9 });
  }

  add(bar, x, right) {
    const { columns: c } = this.scene.data;
    const kind = BAR_KINDS[c.bar_kind[bar]];
    if (kind === "queued" || kind === "backoff") {
      if (right - x >= 1) this.paint(kind, x, right, 2);
      return;
    }
    const outcome = OUTCOMES[c.bar_outcome[bar]];
    const look = kind === "run" ? outcome || "running" : `${kind}Line`;
    const end = Math.max(right, x + 1.2);
    if (look === this.look && x - this.right < 0.8) this.right = Math.max(this.right, end);
    else {
      this.flush();
      this.look = look;
      this.left = x;
      this.right = end;
    }
    if (isBad(c.bar_outcome[bar]) && x - this.notch > 5) {
      this.flush();
      this.notch = x;
      notch(this.g, (x + end) / 2, this.y + this.high, this.scene.colors[outcome] ?? this.scene.colors.lost);
    }
  }

  flush() {
    if (this.look) this.paint(this.look, this.left, this.right, this.high);
    this.look = "";
  }

  paint(look, left, right, high) {
    fill(this.g, this.scene.colors[look] ?? this.scene.colors.lost);
    this.g.fillRect(left, this.y + (this.high - high) / 2, right - left, high);
  }
}

let filledWith = "";

/** Set the fill; a canvas parses a colour each time that it is given one. */
function fill(g, color) {
  if (filledWith !== color) g.fillStyle = filledWith = color;
}

/** A triangle below a bar that went wrong: seen even where the bar is a hair line. */
function notch(g, x, y, color) {
  fill(g, color);
  g.beginPath();
  g.moveTo(x, y - 1);
  g.lineTo(x - 3.5, y + 3);
  g.lineTo(x + 3.5, y + 3);
  g.fill();
}

function drawBar(g, scene, row, bar, x, right, top, hatch) {
  const { data, colors } = scene;
  const kind = BAR_KINDS[data.columns.bar_kind[bar]];
  const outcome = OUTCOMES[data.columns.bar_outcome[bar]];
  const middle = Math.round(top + row.height / 2);
  const left = Math.max(x, scene.gutter - 4);
  if (kind === "queued") {
    fill(g, colors.queued);
    g.fillRect(left, middle - 1, Math.max(right - left, 1), 2);
  } else if (kind === "backoff") {
    fill(g, colors.backoff);
    for (let at = left; at < right; at += 6) g.fillRect(at, middle - 1, Math.min(3, right - at), 2);
  } else if (kind === "workflow") {
    fill(g, colors.span);
    g.fillRect(left, middle - 3, Math.max(1, right - left), 6);
  } else drawSolid(g, scene, row, bar, kind, outcome, left, right, top, hatch);
  if (bar === scene.focused || bar === scene.opened || bar === scene.hovered) {
    const high = row.height - (row.type === "track" ? 2 : 4);
    g.strokeStyle = bar === scene.hovered && bar !== scene.focused ? colors.fg : colors.accent;
    g.lineWidth = bar === scene.focused ? 2 : 1.2;
    round(g, left - 1.5, top + (row.height - high) / 2, Math.max(3, right - left) + 3, high, 3);
    g.stroke();
  }
}

function drawSolid(g, scene, row, bar, kind, outcome, left, right, top, hatch) {
  const { data, colors } = scene;
  const inset = row.type === "track" ? 2.5 : 4;
  const high = row.height - 2 * inset;
  const wide = Math.max(right - left, 1.5);
  const y = top + inset;
  const open = outcome === "";
  const radius = wide > 10 ? 2.5 : 0;
  if (kind === "wait" || kind === "child") {
    fill(g, colors[kind]);
    g.strokeStyle = isBad(data.columns.bar_outcome[bar]) ? colors.failed : colors[`${kind}Line`];
    g.lineWidth = 1;
    round(g, left + 0.5, y + 0.5, Math.max(wide - 1, 0.5), high - 1, radius);
    g.fill();
    if (open) g.setLineDash([3, 2]);
    g.stroke();
    if (open) g.setLineDash([]);
  } else {
    const wrong = outcome !== "completed" && !open;
    fill(g, colors[open ? "running" : outcome] ?? colors.lost);
    if (radius) {
      round(g, left, y, wide, high, radius);
      g.fill();
    } else g.fillRect(left, y, wide, high);
    if (wrong) {
      fill(g, hatch);
      g.fillRect(left + 1, y + 0.5, wide - 2, high - 1);
      if (wide < 12) notch(g, left + wide / 2, y + high, colors[outcome] ?? colors.lost);
    }
  }
  if (wide >= 14) barText(g, scene, row, bar, kind, outcome, left, wide, top);
}

function barText(g, scene, row, bar, kind, outcome, left, wide, top) {
  const { data, colors } = scene;
  const solid = kind === "run";
  const sign = outcome === "completed" || outcome === "fired" ? "" : SIGNS[outcome] ?? SIGNS.lost;
  const length = durationText(barEnd(scene, bar) - data.columns.bar_start[bar]);
  const attempt = data.columns.bar_attempt[bar];
  const parts = [sign, length];
  if (solid && attempt > 1) parts.push(`· attempt ${attempt}`);
  const font = useFont(g, 500, SMALL_TEXT, colors.font);
  fill(g, solid ? colors.onBar : colors.fg);
  const middle = top + row.height / 2 + 0.5;
  // Text sticks to the visible part of a bar.
  const from = Math.max(left, scene.gutter) + 5;
  const room = left + wide - from - 4;
  for (let count = parts.length; count > 0; count--) {
    const text = parts.slice(0, count).filter(Boolean).join(" ");
    if (text && textWidth(g, text, font) <= room) {
      g.fillText(text, from, middle);
      return;
    }
  }
}

function round(g, x, y, wide, high, radius) {
  g.beginPath();
  if (radius) g.roundRect(x, y, wide, high, Math.min(radius, wide / 2, high / 2));
  else g.rect(x, y, wide, high);
}

/** All bars of a folded group in one row: where it was busy, and where something failed. */
function drawDensity(g, scene, row, top) {
  const { data, colors, barFrom, barTo, pixels: k, from, to } = scene;
  const { bar_kind: kind, bar_outcome: outcome } = data.columns;
  const shift = scene.gutter - from * k;
  const middle = top + row.height / 2;
  for (const pass of [false, true]) {
    let painted = -1;
    const high = pass ? 9 : 5;
    for (const bar of row.bars) {
      if (barFrom[bar] > to) break;
      if (isBad(outcome[bar]) !== pass || kind[bar] === 1 || kind[bar] === 3) continue;
      const x = Math.max(barFrom[bar] * k + shift, painted, scene.gutter);
      const right = Math.min(Math.max(barTo[bar] * k + shift, x + 1.5), scene.width);
      if (right - painted < 0.5 || right < scene.gutter) continue;
      fill(g, pass ? colors.failed : outcome[bar] === 0 ? colors.running : colors.completed);
      g.fillRect(x, middle - high / 2, right - x, high);
      painted = right;
    }
  }
}

function drawMarks(g, scene, row, top) {
  const { markFrom, markTo, pixels: k, from, to } = scene;
  const { mark_kind: kinds, mark_outcome: outcomes } = scene.data.columns;
  const shift = scene.gutter - from * k;
  let painted = -9;
  for (const mark of row.marks) {
    if (markTo[mark] < from || markFrom[mark] > to) continue;
    const x = markFrom[mark] * k + shift;
    const bad = isBad(outcomes[mark]);
    const kind = MARK_KINDS[kinds[mark]];
    if (kind === "start" || (kind === "task" && !bad && x < painted + 1)) continue;
    if (kind === "task") painted = markTo[mark] * k + shift;
    drawMark(g, scene, row, mark, kind, bad, x, markTo[mark] * k + shift, top);
  }
}

function drawMark(g, scene, row, mark, kind, bad, x, right, top) {
  const { data, colors } = scene;
  const c = data.columns;
  const middle = top + row.height / 2;
  const item = c.bar_lane.length + mark;
  if (item === scene.focused || item === scene.opened || item === scene.hovered) {
    g.strokeStyle = item === scene.focused ? colors.accent : colors.fg;
    g.lineWidth = item === scene.focused ? 2 : 1.2;
    round(g, x - 8, middle - 9, Math.max(right - x, 0) + 16, 18, 4);
    g.stroke();
  }
  if (kind === "task") {
    fill(g, bad ? colors.failed : colors.task);
    const wide = Math.max(1.2, right - x);
    const tall = bad ? 14 : 10;
    g.fillRect(x, middle - tall / 2, wide, tall);
    if (bad) sign(g, colors, "✗", x + wide + 6, middle, colors.failed);
    return;
  }
  if (kind === "close") {
    const outcome = OUTCOMES[c.mark_outcome[mark]];
    sign(g, colors, SIGNS[outcome], x + 9, middle, colors[outcome] ?? colors.fg);
    return;
  }
  const color = bad ? colors.failed : { signal: colors.signal, update: colors.update, cancel: colors.canceled }[kind] ?? colors.task;
  fill(g, color);
  if (kind === "update" && right > x) g.fillRect(x, middle - 1, right - x, 2);
  g.beginPath();
  if (kind === "signal") polygon(g, x, middle, [[0, -5.5], [5.5, 0], [0, 5.5], [-5.5, 0]]);
  else if (kind === "update") g.arc(x, middle, 4.5, 0, 2 * Math.PI);
  else if (kind === "external") polygon(g, x, middle, [[-4, -5], [5, 0], [-4, 5]]);
  else g.rect(x - 4, middle - 4, 8, 8);
  g.fill();
  if (kind === "cancel" || bad) sign(g, colors, bad ? "✗" : "⊘", x, middle, colors.onBar, 9);
}

function sign(g, colors, text, x, y, color, size = 12) {
  useFont(g, 600, size, colors.font);
  g.textAlign = "center";
  fill(g, color);
  g.fillText(text, x, y + 0.5);
  g.textAlign = "left";
}

function drawLabel(g, scene, row) {
  if (row.type === "track") return;
  const { colors, gutter, scrollTop } = scene;
  const middle = row.y - scrollTop + row.height / 2 + 0.5;
  let x = 10 + Math.min(row.depth, 8) * 14;
  if (row.fold) {
    fill(g, colors.dim);
    g.beginPath();
    const cy = middle - 0.5;
    if (row.fold === "open") polygon(g, x + 4, cy, [[-4, -2.5], [4, -2.5], [0, 3]]);
    else polygon(g, x + 4, cy, [[-2.5, -4], [3, 0], [-2.5, 4]]);
    if (row.fold === "unread") {
      g.strokeStyle = colors.dim;
      g.lineWidth = 1;
      g.stroke();
    } else g.fill();
    x += 14;
  } else x += 2;
  let right = gutter - 10;
  const small = useFont(g, 400, SMALL_TEXT, colors.font);
  if (row.failed && (row.type === "group" || row.failed > 1)) {
    const text = `✗ ${row.failed.toLocaleString("en")}`;
    fill(g, colors.failed);
    right -= textWidth(g, text, small);
    g.fillText(text, right, middle);
    right -= 8;
  }
  const strong = row.type === "group" || row.depth === 0;
  const weight = strong ? 500 : 400;
  if (row.aside) {
    const need = Math.min(textWidth(g, row.label, useFont(g, weight, 12, colors.font)), right - x);
    useFont(g, 400, SMALL_TEXT, colors.font);
    const text = fitted(g, row.aside, right - x - need - 10, small);
    fill(g, colors.dim);
    if (text) {
      right -= textWidth(g, text, small);
      g.fillText(text, right, middle);
      right -= 8;
    }
  }
  const font = useFont(g, weight, 12, colors.font);
  fill(g, colors.fg);
  g.fillText(fitted(g, row.label, right - x, font), x, middle);
}

