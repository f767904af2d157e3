// @ts-check
/** The timeline as an anywidget: `packed` is the picture, details and children are asked for by messages. */
import { hideFallback } from "./live.js";
import { Pulse } from "./pulse.js";
import { createTimeline } from "./timeline.js";

/** Draw one view of a model; several may look at one model. */
function renderTimeline({ model, el }) {
  /** @type {Map<string, {resolve: Function, reject: Function}>} */
  const waiting = new Map();
  const me = Math.random().toString(36).slice(2);
  let count = 0;
  const ask = (/** @type {Object} */ request) => new Promise((resolve, reject) => {
    const id = `${me}-${count++}`;
    waiting.set(id, { resolve, reject });
    model.send({ kind: "details", id, request });
  });
  const answer = (/** @type {any} */ message) => {
    const asked = waiting.get(message?.id);
    if (!asked) return;
    waiting.delete(message.id);
    if (message.error) asked.reject(new Error(message.error));
    else asked.resolve(message);
  };
  const timeline = createTimeline(el, {
    maxHeight: model.get("max_height"),
    details: ask,
    expand: (child) => model.send({ kind: "expand", child }),
    onRange: (range) => {
      model.set("selected_range", range ? [range.from, range.to] : []);
      model.save_changes();
    },
  });
  const show = () => {
    const packed = model.get("packed");
    if (packed?.byteLength) timeline.update(packed);
  };
  const pulse = new Pulse(model, () => notice(), { silent: true });
  const notice = () => {
    const lost = pulse.lost && timeline.view.scene.data?.head.open
      ? `${pulse.lost}: this is the last known state. Show the timeline again after a restart.` : "";
    const text = lost || (model.get("message") ?? "");
    timeline.stand(Boolean(text));
    timeline.notice(text);
  };
  const showAgain = hideFallback(model.get("hides") ?? "");
  show();
  notice();
  model.on("change:packed", show);
  model.on("change:message", notice);
  model.on("msg:custom", answer);
  model.send({ kind: "view", open: true });
  return () => {
    model.send({ kind: "view", open: false });
    pulse.stop();
    showAgain();
    model.off("change:packed", show);
    model.off("change:message", notice);
    model.off("msg:custom", answer);
    timeline.destroy();
  };
}

export default { render: renderTimeline };
