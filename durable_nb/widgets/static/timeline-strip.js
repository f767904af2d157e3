// @ts-check
/**
 * A run in one line, for tables: `createStrip(element, options) -> {update, destroy}`. Draws what `analytics.strip` makes:
 * `{states, levels, summary}`, one letter and one digit for each part.
 */
import { palette, watchTheme } from "./theme.js";

const STRIP_COLORS = {
  q: "queued", w: "waitLine", k: "childLine", b: "backoff", r: "completed", c: "canceled", t: "timed_out", f: "failed", "|": "gapLine",
};

/**
 * @param {HTMLElement} element inside of an element of class `dnb`
 * @param {{width?: number, height?: number, open?: boolean}} [options] CSS pixels; `open`: the last part still runs
 */
export function createStrip(element, options = {}) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.style.verticalAlign = "middle";
  element.append(canvas);
  let strip = /** @type {{states: string, levels: string, summary: string} | null} */ (null);
  const draw = () => strip && drawStrip(canvas, strip, options, palette(/** @type {HTMLElement} */ (element.closest(".dnb") ?? element)));
  const unwatch = watchTheme(canvas, draw);
  return {
    /** @param {{states: string, levels: string, summary: string}} next */
    update(next) {
      if (strip && next.states === strip.states && next.levels === strip.levels) return;
      strip = next;
      canvas.setAttribute("aria-label", next.summary);
      canvas.title = next.summary;
      draw();
    },
    destroy() {
      unwatch();
      canvas.remove();
    },
  };
}

function drawStrip(canvas, strip, options, colors) {
  const { width = 160, height = 18, open = false } = options;
  const ratio = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  const count = strip.states.length;
  const wide = width / Math.max(1, count);
  const base = height - 3;
  g.fillStyle = colors.grid;
  g.fillRect(0, base, width, 1);
  for (let i = 0; i < count; i++) {
    const state = strip.states[i];
    const x = i * wide;
    if (state === " ") continue;
    const isLast = open && !strip.states.slice(i + 1).trim();
    g.fillStyle = isLast && state === "r" ? colors.running : colors[STRIP_COLORS[state]];
    if (state === "|") {
      for (let y = 1; y < height - 3; y += 4) g.fillRect(x + wide / 2 - 0.5, y, 1, 2);
      continue;
    }
    const level = Number(strip.levels[i]);
    if ("qbwk".includes(state)) {
      // Waiting is a line, dashed for a back-off; a low block for timers and children.
      if (state === "b") for (let d = 0; d < wide; d += 4) g.fillRect(x + d, base - 3, 2, 2);
      else g.fillRect(x, base - (state === "q" ? 3 : 4), wide, state === "q" ? 1.5 : 3);
      continue;
    }
    const high = 3 + (Math.max(1, level) / 8) * (height - 9);
    // Whole pixels of the screen: between parts of one would be seams.
    const from = Math.floor(x * ratio) / ratio;
    g.fillRect(from, base - high, Math.ceil((x + wide) * ratio) / ratio - from, high);
    if ("ftc".includes(state)) {
      // A notch below the line, as on the bars of the timeline: not by colour alone.
      g.beginPath();
      g.moveTo(x + wide / 2, base);
      g.lineTo(x + wide / 2 - 3, base + 3);
      g.lineTo(x + wide / 2 + 3, base + 3);
      g.fill();
    }
  }
}
