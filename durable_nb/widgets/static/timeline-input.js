// @ts-check
/** Pointer and keyboard of a timeline. Every listener ends with the signal that it was given. */
import { durationText } from "./timeline-data.js";
import { describeItem, itemAt, itemBad, itemStart, rowAt, rowItems, rowOfItem } from "./timeline-items.js";
import { showTip } from "./timeline-panels.js";
import { timeAt } from "./timeline-scene.js";

const CLICK_PIXELS = 4;

/** @param {import("./timeline.js").TimelineView} view @param {AbortSignal} signal */
export function listenToPointer(view, signal) {
  const { scene, scroll, axis, overview } = view;
  const on = (target, type, act, more = {}) => target.addEventListener(type, act, { signal, ...more });
  const place = (event, target) => {
    const box = target.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  on(scroll, "scroll", () => {
    view.tip.hidden = true;
    view.redraw();
  });
  const wheel = (/** @type {WheelEvent} */ event) => {
    if (!scene.data) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      view.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.01), place(event, scroll).x);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      view.pan(event.deltaX || event.deltaY);
    }
  };
  for (const target of [scroll, axis, overview]) on(target, "wheel", wheel, { passive: false });

  listenToDrags(view, on, place);

  on(scroll, "pointermove", (event) => {
    if (!scene.data || event.buttons) return;
    const { x, y } = place(event, scroll);
    const row = scene.rows[rowAt(scene, y + scene.scrollTop)];
    const item = x > scene.gutter ? itemAt(scene, x, y + scene.scrollTop) : -1;
    scroll.classList.toggle("dnb-point", item >= 0 || (x <= scene.gutter && !!row?.fold));
    if (item !== scene.hovered) {
      scene.hovered = item;
      view.redraw();
    }
    const at = place(event, view.root);
    const gap = x > scene.gutter && item < 0 ? gapAt(scene, x) : null;
    if (item >= 0) showTip(view.tip, describeItem(scene, item), at.x, at.y, view.root.clientWidth);
    else if (gap) {
      const lines = [["left out", `${durationText(gap.end - gap.start)} in which nothing ran`]];
      showTip(view.tip, { title: "idle", bad: false, lines }, at.x, at.y, view.root.clientWidth);
    } else if (x <= scene.gutter && row?.label) {
      const lines = row.aside ? [[row.type === "group" ? "lanes" : "ID", row.aside]] : [];
      showTip(view.tip, { title: row.label, bad: false, lines }, at.x, at.y, view.root.clientWidth);
    } else view.tip.hidden = true;
  });
  on(scroll, "pointerleave", () => {
    view.tip.hidden = true;
    if (scene.hovered >= 0) {
      scene.hovered = -1;
      view.redraw();
    }
  });
  on(axis, "dblclick", () => view.fit());
}

function gapAt(scene, x) {
  const time = timeAt(scene, x);
  return scene.scale.gaps.find((gap) => time > gap.start && time < gap.end) ?? null;
}

/** Dragging: rows pan, with shift (or on the axis) a range is selected, the overview moves the view, two fingers zoom. */
function listenToDrags(view, on, place) {
  const { scene, scroll, axis, overview } = view;
  /** @type {Map<number, {x: number, y: number}>} */
  const fingers = new Map();
  let drag = null;

  const move = (/** @type {PointerEvent} */ event) => {
    if (!drag || !fingers.has(event.pointerId)) return;
    const before = fingers.get(event.pointerId);
    const now = { x: event.clientX, y: event.clientY };
    const { x } = place(event, drag.target);
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const near = Math.hypot(now.x - other.x, now.y - other.y);
      if (near > 5) view.zoom(Math.hypot(before.x - other.x, before.y - other.y) / near, x);
    } else if (drag.kind === "overview") moveOverview(view, x);
    else if (Math.abs(now.x - drag.x) + Math.abs(now.y - drag.y) >= CLICK_PIXELS || drag.moved) {
      drag.moved = true;
      view.tip.hidden = true;
      if (drag.kind === "range") view.select({ from: drag.time, to: timeAt(scene, Math.max(scene.gutter, x)) }, false);
      else {
        scroll.classList.add("dnb-grab");
        view.pan(before.x - now.x);
        if (event.pointerType === "mouse") scroll.scrollTop += before.y - now.y;
      }
    }
    fingers.set(event.pointerId, now);
  };
  const end = (/** @type {PointerEvent} */ event) => {
    if (!fingers.delete(event.pointerId) || !drag) return;
    const { x, y } = place(event, drag.target);
    if (drag.kind === "range" && (drag.moved || scene.range)) view.select(drag.moved ? scene.range : null);
    else if (drag.kind === "pan" && !drag.moved && event.type === "pointerup") click(view, x, y + scene.scrollTop);
    scroll.classList.remove("dnb-grab");
    if (!fingers.size) drag = null;
  };
  const begin = (target, kindOf) => (/** @type {PointerEvent} */ event) => {
    if (!scene.data || event.button) return;
    const { x } = place(event, target);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    target.setPointerCapture(event.pointerId);
    drag = { kind: kindOf(event), target, x: event.clientX, y: event.clientY, time: timeAt(scene, Math.max(scene.gutter, x)), moved: false };
    if (drag.kind === "overview") moveOverview(view, x);
  };
  on(scroll, "pointerdown", begin(scroll, (event) => (event.shiftKey ? "range" : "pan")));
  on(axis, "pointerdown", begin(axis, () => "range"));
  on(overview, "pointerdown", begin(overview, () => "overview"));
  for (const target of [scroll, axis, overview]) {
    on(target, "pointermove", move);
    on(target, "pointerup", end);
    on(target, "pointercancel", end);
  }
}

function moveOverview(view, x) {
  const { scene } = view;
  const middle = ((x - scene.gutter) / (scene.width - scene.gutter)) * scene.scale.length;
  const span = scene.to - scene.from;
  view.look(middle - span / 2, middle + span / 2);
}

function click(view, x, y) {
  const { scene } = view;
  const row = scene.rows[rowAt(scene, y)];
  view.scroll.focus({ preventScroll: true });
  if (row?.fold && (x <= scene.gutter || row.type === "group")) return view.fold(row);
  const item = itemAt(scene, x, y);
  if (item >= 0) view.open(item);
  else view.close();
}

/** @param {import("./timeline.js").TimelineView} view @param {AbortSignal} signal */
export function listenToKeys(view, signal) {
  // Keys must not reach the notebook, where f and 0 0 mean something else; also what we do not use.
  view.root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.target === view.search) {
      if (event.key === "Escape" || event.key === "Enter") {
        if (event.key === "Escape") {
          view.search.value = "";
          view.filter({ query: "" });
        }
        view.scroll.focus({ preventScroll: true });
        event.preventDefault();
      }
    } else if (event.key === "Escape") escape(view);
    else if (event.target === view.scroll && view.scene.data && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (press(view, event)) event.preventDefault();
    }
  }, { signal });
}

/** Close what is on top: details, then the range, then the filters. */
function escape(view) {
  if (!view.details.hidden) view.close();
  else if (view.scene.range) view.select(null);
  else if (view.state.query || view.state.failedOnly) {
    view.search.value = "";
    view.filter({ query: "", failedOnly: false });
  } else view.focus(-1);
  view.scroll.focus({ preventScroll: true });
}

function press(view, event) {
  const { scene } = view;
  const acts = {
    ArrowRight: () => (event.shiftKey ? view.pan(80) : step(view, 1)),
    ArrowLeft: () => (event.shiftKey ? view.pan(-80) : step(view, -1)),
    ArrowDown: () => jump(view, 1),
    ArrowUp: () => jump(view, -1),
    Home: () => view.focus(allItems(view)[0] ?? -1),
    End: () => view.focus(allItems(view).at(-1) ?? -1),
    n: () => nextFailed(view, 1),
    N: () => nextFailed(view, -1),
    Enter: () => view.open(scene.focused),
    " ": () => toggleFold(view),
    "+": () => zoomAtFocus(view, 1 / 1.6),
    "=": () => zoomAtFocus(view, 1 / 1.6),
    "-": () => zoomAtFocus(view, 1.6),
    0: () => view.fit(),
    f: () => view.filter({ failedOnly: !view.state.failedOnly }),
    i: () => scene.data.axis.gaps.length && view.toggleIdle(),
    r: () => view.filter({ spread: !view.state.spread }),
    t: () => view.toggleTable(),
    "/": () => view.search.focus(),
  };
  const act = acts[event.key];
  act?.();
  return act !== undefined;
}

function zoomAtFocus(view, factor) {
  const { scene } = view;
  if (scene.focused < 0) return view.zoom(factor);
  const share = (scene.scale.unit(itemStart(scene.data, scene.focused)) - scene.from) / (scene.to - scene.from);
  view.zoom(factor, scene.gutter + Math.max(0, Math.min(1, share)) * (scene.width - scene.gutter));
}

const allItems = (view) => view.scene.rows.flatMap((row) => rowItems(view.scene.data, row));

/** The next item in the row, and from its last to the first of the next row. */
function step(view, by) {
  const items = allItems(view);
  const at = items.indexOf(view.scene.focused);
  view.focus(items[at < 0 ? 0 : Math.max(0, Math.min(items.length - 1, at + by))] ?? -1);
}

/** The item nearest in time in the next row that has any. */
function jump(view, by) {
  const { scene } = view;
  const from = scene.focused < 0 ? -1 : rowOfItem(scene, scene.focused);
  const time = scene.focused < 0 ? 0 : itemStart(scene.data, scene.focused);
  for (let i = from < 0 ? 0 : from + by; i >= 0 && i < scene.rows.length; i += by) {
    const items = rowItems(scene.data, scene.rows[i]);
    if (!items.length) continue;
    const far = (item) => Math.abs(itemStart(scene.data, item) - time);
    view.focus(items.reduce((best, item) => (far(item) < far(best) ? item : best)));
    return;
  }
}

function nextFailed(view, by) {
  const items = allItems(view).filter((item) => itemBad(view.scene.data, item) && item < view.scene.data.columns.bar_lane.length);
  if (!items.length) return view.say("nothing failed");
  const at = items.indexOf(view.scene.focused);
  view.focus(items[at < 0 ? (by > 0 ? 0 : items.length - 1) : (at + by + items.length) % items.length]);
}

function toggleFold(view) {
  const { scene } = view;
  const row = scene.focused < 0 ? null : scene.rows[rowOfItem(scene, scene.focused)];
  if (row?.fold) view.fold(row);
  else {
    const group = row && scene.rows.slice(0, scene.rows.indexOf(row)).reverse().find((above) => above.type === "group");
    if (group) view.fold(group);
  }
}
