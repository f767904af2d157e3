// @ts-check
/**
 * Where one stands in a history: a range input, the number beside it, and in words what is there. A native input has
 * its name, its value and its keys for everybody; that of ipywidgets has no name.
 */
import { addStyle, THEME_CSS } from "./theme.js";
import { h } from "./live.js";

export const SLIDER_CSS = `
.dnb-slider { display: flex; align-items: center; gap: 10px; background: none; }
.dnb-slider label { display: flex; flex: 1; align-items: center; gap: 10px; }
.dnb-slider input { flex: 1; min-width: 60px; margin: 0; accent-color: var(--dnb-accent); }
.dnb-slider input:focus-visible { outline: 2px solid var(--dnb-accent); outline-offset: 2px; }
.dnb-slider output { min-width: 4em; font-variant-numeric: tabular-nums; }
`;

const MOVES = /^(Arrow(Left|Right|Up|Down)|Home|End|Page(Up|Down))$/;

function renderSlider({ model, el }) {
  const input = h("input", { type: "range", min: "1", step: "1" });
  const number = h("output", { "aria-hidden": "true" });
  const said = h("span", { className: "dnb-sr", role: "status", "aria-live": "polite" });
  const root = h("div", { className: "dnb dnb-slider" }, h("label", {}, "event", input), number, said);
  const name = () => {
    number.textContent = input.value;
    input.setAttribute("aria-valuetext", `event ${input.value} of ${input.max}`);
  };
  const place = () => {
    input.max = String(model.get("max"));
    input.value = String(model.get("value"));
    name();
  };
  const say = () => { said.textContent = model.get("said"); };
  input.addEventListener("input", name);
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    // Lab would go to another cell, or fold this one.
    if (MOVES.test(event.key) && !(event.ctrlKey || event.metaKey || event.altKey)) event.stopPropagation();
  });
  input.addEventListener("change", () => {
    model.set("value", Number(input.value));
    model.save_changes();
  });
  el.append(root);
  for (const css of [THEME_CSS, SLIDER_CSS]) addStyle(el, css);
  place();
  const heard = [["change:value", place], ["change:max", place], ["change:said", say]];
  for (const [event, react] of heard) model.on(event, react);
  return () => {
    for (const [event, react] of heard) model.off(event, react);
  };
}

export default { render: renderSlider };
