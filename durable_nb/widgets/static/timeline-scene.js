// @ts-check
/** What drawing works on: the scene, where instants are on the canvas, and text that fits. */

export const SMALL_TEXT = 10.5;

/**
 * @typedef {Object} Scene everything that drawing needs
 * @property {import("./timeline-data.js").TimelineData} data
 * @property {import("./timeline-data.js").TimeScale} scale the axis in use
 * @property {import("./timeline-rows.js").TimelineRow[]} rows
 * @property {any} colors a palette
 * @property {number} width of the canvas, CSS pixels
 * @property {number} gutter width of the labels
 * @property {number} from first unit of the axis that is seen
 * @property {number} to last unit
 * @property {number} pixels of a unit
 * @property {Float64Array} barFrom units of the start of each bar; likewise `barTo`, `markFrom`, `markTo`
 * @property {number[]} growing bars that end now
 * @property {number} now microseconds since the start: where bars that grow end
 * @property {number} scrollTop
 * @property {number} viewHeight
 * @property {number} hovered bar, or -1
 * @property {number} focused bar, or -1
 * @property {number} opened bar, or -1
 * @property {{from: number, to: number} | null} range selected, microseconds since the start
 */

/** Where an instant is on the canvas. @param {Scene} scene @param {number} time */
export const xOf = (scene, time) =>
  scene.gutter + ((scene.scale.unit(time) - scene.from) * (scene.width - scene.gutter)) / (scene.to - scene.from);

/** Which instant is there. @param {Scene} scene @param {number} x */
export const timeAt = (scene, x) =>
  scene.scale.time(scene.from + ((x - scene.gutter) * (scene.to - scene.from)) / (scene.width - scene.gutter));

/** Where a bar ends now: what is open grows. @param {Scene} scene @param {number} bar */
export function barEnd(scene, bar) {
  const end = scene.data.columns.bar_end[bar];
  return scene.data.head.open && end >= scene.data.head.now && scene.now > end ? scene.now : end;
}

/** Size a canvas for the screen; returns its context, scaled to CSS pixels. */
export function prepare(canvas, width, height) {
  const ratio = globalThis.devicePixelRatio || 1;
  const wide = Math.max(1, Math.round(width * ratio));
  const high = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    forgetFont(canvas.getContext("2d"));
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/**
 * Make everything that depends on data and axis but not on the view: units of all bars and marks.
 * @param {Scene} scene @param {import("./timeline-data.js").TimeScale} scale
 */
export function useScale(scene, scale) {
  const { columns: c } = scene.data;
  const units = (/** @type {Float64Array} */ times) => times.map((time) => scale.unit(time));
  Object.assign(scene, {
    scale, barFrom: units(c.bar_start), barTo: units(c.bar_end), markFrom: units(c.mark_start), markTo: units(c.mark_end),
  });
  scene.growing = [];
  if (scene.data.head.open) c.bar_end.forEach((end, bar) => end >= scene.data.head.now && scene.growing.push(bar));
  growBars(scene);
}

/** Let open bars end now. @param {Scene} scene */
export function growBars(scene) {
  for (const bar of scene.growing) scene.barTo[bar] = scene.scale.unit(barEnd(scene, bar));
}

/** Widths of texts by font: measuring is the dearest part of a frame. @type {Map<string, Map<string, number>>} */
const WIDTHS = new Map();

/** The font that each context has. @type {WeakMap<object, string>} */
const FONTS = new WeakMap();

/** Set a font and return its name; asking a canvas for its font is slow. */
export function useFont(g, weight, size, family) {
  const name = `${weight} ${size}px ${family}`;
  if (FONTS.get(g) !== name) {
    FONTS.set(g, name);
    g.font = name;
  }
  return name;
}

/** After a `restore`, which brings an older font back. */
export const forgetFont = (g) => FONTS.delete(g);

/** @param {string} text @param {string} font the font that is set */
export function textWidth(g, text, font) {
  let widths = WIDTHS.get(font);
  if (!widths) WIDTHS.set(font, (widths = new Map()));
  let width = widths.get(text);
  if (width === undefined) {
    if (widths.size > 20_000) widths.clear();
    width = g.measureText(text).width;
    widths.set(text, width);
  }
  return width;
}

/** `text`, shortened to `room` pixels. */
export function fitted(g, text, room, font) {
  if (textWidth(g, text, font) <= room) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (textWidth(g, `${text.slice(0, middle)}…`, font) <= room) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
}

export function polygon(g, x, y, points) {
  points.forEach(([dx, dy], i) => (i ? g.lineTo(x + dx, y + dy) : g.moveTo(x + dx, y + dy)));
  g.closePath();
}
