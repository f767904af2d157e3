// @ts-check
/** The time axis with its ticks and breaks, and the overview above it. */
import { BAR_KINDS, clockText, durationText, isBad, shortDuration, sinceText, tickStep } from "./timeline-data.js";
import { fitted, forgetFont, SMALL_TEXT, textWidth, useFont, xOf } from "./timeline-scene.js";

export const AXIS_HEIGHT = 36;
export const OVERVIEW_HEIGHT = 26;

export function* gapsInView(scene) {
  for (const gap of scene.scale.gaps) {
    const x = xOf(scene, gap.start);
    const end = xOf(scene, gap.end);
    if (end < scene.gutter || x > scene.width) continue;
    const left = Math.max(x, scene.gutter);
    yield { x: left, wide: Math.min(end, scene.width) - left, gap };
  }
}

/** Ticks of pleasant times, never inside of a break. */
export function ticks(scene) {
  const { scale, data, gutter, width } = scene;
  const perPixel = (scene.to - scene.from) / (width - gutter);
  const step = tickStep(perPixel * 96);
  const zone = step >= 3.6e9 ? new Date(data.head.start / 1000).getTimezoneOffset() * 6e7 : 0;
  const found = [];
  const edges = [scale.time(scene.from), scale.time(scene.to)];
  let begin = edges[0];
  const pieces = [];
  for (const gap of scale.gaps) {
    if (gap.end <= edges[0] || gap.start >= edges[1]) continue;
    pieces.push([begin, gap.start]);
    begin = gap.end;
  }
  pieces.push([begin, edges[1]]);
  for (const [low, high] of pieces) {
    let at = Math.ceil((low + data.head.start - zone) / step) * step + zone - data.head.start;
    for (; at <= high && found.length < 400; at += step) found.push({ time: at, x: xOf(scene, at), step });
  }
  return found;
}

export function drawRange(g, scene, top, height) {
  if (!scene.range) return;
  const left = xOf(scene, scene.range.from);
  const right = xOf(scene, scene.range.to);
  g.fillStyle = scene.colors.select;
  g.fillRect(left, top, right - left, height);
  g.fillStyle = scene.colors.accent;
  g.fillRect(Math.round(left), top, 1, height);
  g.fillRect(Math.round(right), top, 1, height);
}

/** The time axis: the clock above, time since the start below, breaks with how long they are. */
export function drawAxis(g, scene, zone) {
  const { colors, width, gutter, data } = scene;
  g.fillStyle = colors.bg;
  g.fillRect(0, 0, width, AXIS_HEIGHT);
  drawRangeOnAxis(g, scene);
  const font = useFont(g, 400, SMALL_TEXT, colors.font);
  g.textBaseline = "middle";
  g.textAlign = "left";
  g.fillStyle = colors.dim;
  g.fillText(fitted(g, zone, gutter - 20, font), 12, 11);
  g.fillText("since the start", 12, 26);
  g.save();
  g.beginPath();
  g.rect(gutter, 0, width - gutter, AXIS_HEIGHT);
  g.clip();
  /** @type {[number, number][]} */
  const taken = [];
  const free = (x, wide) => taken.every(([a, b]) => x + wide < a || x > b);
  for (const { x, wide, gap } of gapsInView(scene)) {
    g.fillStyle = colors.gap;
    g.fillRect(x, 0, wide, AXIS_HEIGHT);
    g.fillStyle = colors.dim;
    g.textAlign = "center";
    const text = [durationText, shortDuration, () => "⋯"].map((say) => say(gap.end - gap.start))
      .find((said) => textWidth(g, said, font) <= wide - 6) ?? "⋮";
    g.fillText(text, x + wide / 2, 11);
    if (textWidth(g, "idle", font) <= wide - 6) g.fillText("idle", x + wide / 2, 26);
    taken.push([x - 3, x + wide + 3]);
  }
  g.textAlign = "left";
  for (const { time, x, step } of ticks(scene)) {
    const clock = clockText(data.head.start + time, step);
    const since = sinceText(time, step);
    const wide = Math.max(textWidth(g, clock, font), textWidth(g, since, font));
    if (!free(x, wide + 10) || x < gutter - 1) continue;
    taken.push([x, x + wide + 12]);
    g.fillStyle = colors.grid;
    g.fillRect(Math.round(x), 0, 1, AXIS_HEIGHT);
    if (x + 4 + wide > width) continue;  // half a time is worse than none
    g.fillStyle = colors.fg;
    g.fillText(clock, x + 4, 11);
    g.fillStyle = colors.dim;
    g.fillText(since, x + 4, 26);
  }
  g.restore();
  forgetFont(g);
  g.fillStyle = colors.line;
  g.fillRect(0, AXIS_HEIGHT - 1, width, 1);
  g.fillRect(gutter - 1, 0, 1, AXIS_HEIGHT);
}

function drawRangeOnAxis(g, scene) {
  g.save();
  g.beginPath();
  g.rect(scene.gutter, 0, scene.width - scene.gutter, AXIS_HEIGHT);
  g.clip();
  drawRange(g, scene, 0, AXIS_HEIGHT);
  g.restore();
  forgetFont(g);
}

/** How busy the whole run was, with what failed, and a frame around what is in view. */
export function drawOverview(g, scene, levels) {
  const { colors, width, gutter } = scene;
  const total = scene.scale.length || 1;
  const wide = width - gutter;
  g.fillStyle = colors.raised;
  g.fillRect(0, 0, width, OVERVIEW_HEIGHT);
  const most = Math.max(1, ...levels.busy);
  const share = wide / levels.busy.length;
  const ratio = globalThis.devicePixelRatio || 1;
  g.fillStyle = colors.completed;
  for (let i = 0; i < levels.busy.length; i++) {
    const high = levels.busy[i] ? Math.max(1, (levels.busy[i] / most) * (OVERVIEW_HEIGHT - 8)) : 0;
    // Whole pixels of the screen: between parts of one would be seams.
    const from = Math.floor((gutter + i * share) * ratio) / ratio;
    const to = Math.ceil((gutter + (i + 1) * share) * ratio) / ratio;
    if (high) g.fillRect(from, OVERVIEW_HEIGHT - 3 - high, to - from, high);
  }
  g.fillStyle = colors.failed;
  for (let i = 0; i < levels.busy.length; i++) {
    if (levels.failed[i]) g.fillRect(gutter + i * share, 1, Math.max(share, 1.5), 3.5);
  }
  const left = gutter + (scene.from / total) * wide;
  const right = gutter + (scene.to / total) * wide;
  g.fillStyle = colors.dark ? "rgba(0,0,0,0.45)" : "rgba(255,255,255,0.65)";
  g.fillRect(gutter, 0, Math.max(0, left - gutter), OVERVIEW_HEIGHT);
  g.fillRect(right, 0, Math.max(0, width - right), OVERVIEW_HEIGHT);
  if (right - left < wide - 1) {
    g.strokeStyle = colors.accent;
    g.lineWidth = 1;
    g.strokeRect(Math.max(left, gutter) + 0.5, 0.5, Math.min(right, width) - Math.max(left, gutter) - 1, OVERVIEW_HEIGHT - 1);
  }
}

/** Attempts that ran, and that failed, in `count` equal parts of the axis. */
export function overviewLevels(scene, count) {
  const { data, scale } = scene;
  const c = data.columns;
  const busy = new Float64Array(count);
  const failed = new Uint8Array(count);
  const total = scale.length || 1;
  for (let bar = 0; bar < c.bar_start.length; bar++) {
    if (BAR_KINDS[c.bar_kind[bar]] !== "run") continue;
    const first = Math.min(count - 1, Math.max(0, Math.floor((scene.barFrom[bar] / total) * count)));
    const end = Math.min(count - 1, Math.max(first, Math.floor((scene.barTo[bar] / total) * count)));
    busy[first]++;
    if (end + 1 < count) busy[end + 1]--;
    if (isBad(c.bar_outcome[bar])) failed[end] = 1;
  }
  for (let i = 1; i < count; i++) busy[i] += busy[i - 1];
  return { busy, failed };
}
