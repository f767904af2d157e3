// @ts-check
/**
 * What live displays share: elements, times that tick, forms, and requests that a busy kernel answers late.
 *
 * Every text of a run reaches the page by `textContent`. A request is shown as pending until the kernel has answered,
 * and beside it stands the line that does the same in a cell.
 */

/** How long a request may go unanswered before the line to type is offered. */
export const REPLY_PATIENCE_MS = 1500;
const TICK_MS = 250;

/**
 * An element. Properties are set, `aria-…`, `role` and `for` as attributes, `on…` as listeners.
 * @param {string} tag @param {Record<string, any>} [properties] @param {...(Node | string | null | false)} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, String(value));
    else /** @type {any} */ (element)[name] = value;
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/** A length of time in whole units: `12 s`, `3 min 04 s`, `2 h 05 min`, `4 d 03 h`. @param {number} us */
export function spanText(us) {
  const seconds = Math.max(0, Math.round(us / 1e6));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
  return `${Math.floor(seconds / 86400)} d ${two(Math.floor((seconds % 86400) / 3600))} h`;
}

/** How long something took that has ended: short times finer than `spanText`. @param {number} us */
export const tookText = (us) => (us < 1e6 ? `${Math.round(us / 1000)} ms` : us < 6e7 ? `${(us / 1e6).toFixed(1)} s` : spanText(us));

/** Local time of an instant. @param {number} us */
export function localTime(us) {
  const moment = new Date(us / 1000);
  const today = new Date().toDateString() === moment.toDateString();
  return today ? moment.toLocaleTimeString() : moment.toLocaleString();
}

/** Times that move on by themselves, by the kernel's clock. */
export class Ticker {
  constructor() {
    this.offset = 0;
    /** @type {Map<HTMLElement, (now: number) => string>} */
    this.shown = new Map();
    this.timer = 0;
    /** What is shown is the last known state: no time moves on. */
    this.stands = false;
  }

  /** The kernel's clock said `now` (microseconds) a moment ago. @param {number} now */
  set(now) {
    this.offset = now - Date.now() * 1000;
  }

  now() {
    return Date.now() * 1000 + this.offset;
  }

  /** An element whose text is kept up to date. @param {string} tag @param {string} className @param {(now: number) => string} text */
  text(tag, className, text) {
    const element = h(tag, { className, textContent: text(this.now()) });
    this.shown.set(element, text);
    if (!this.timer) this.timer = window.setInterval(() => this.tick(), TICK_MS);
    return element;
  }

  tick() {
    if (document.hidden || this.stands) return;
    const now = this.now();
    for (const [element, text] of this.shown) {
      const next = text(now);
      if (!element.isConnected) this.shown.delete(element);
      else if (element.textContent !== next) element.textContent = next;
    }
    if (!this.shown.size) this.stop();
  }

  stop() {
    window.clearInterval(this.timer);
    this.timer = 0;
  }
}

/** A word as a shell would need it quoted. @param {string} word */
export const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);

/**
 * The line that does what a click does. Empty where the run's ID cannot be typed.
 * @param {string} id @param {string} runId @param {{action: string, name?: string, args?: any[], reason?: string}} request
 */
export function magicLine(id, runId, request) {
  if (!id) return "";
  const words = ["%workflow", request.action, quoted(id)];
  if (request.name) words.push(quoted(request.name));
  if (runId) words.push("--run-id", quoted(runId));
  for (const value of request.args ?? []) words.push("--input", quoted(JSON.stringify(value)));
  if (request.reason) words.push("--reason", quoted(request.reason));
  return words.join(" ");
}

/** A line to copy, with its button. @param {string} line @param {string} [before] */
export function copyLine(line, before = "or run this in a cell:") {
  const button = h("button", { type: "button", className: "dnbl-link", textContent: "Copy", "aria-label": `Copy ${line}` });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      button.textContent = "Selected";
    }
  });
  const code = h("code", { textContent: line });
  return h("span", { className: "dnbl-line" }, h("span", { className: "dnbl-dim", textContent: before }), code, button);
}

/** Requests to the kernel and where their answers are shown. */
export class Requests {
  /** @param {any} model @param {(answer: {ok: boolean, text: string}) => void} [onGone] told where there is no place left */
  constructor(model, onGone) {
    this.model = model;
    this.onGone = onGone;
    this.me = Math.random().toString(36).slice(2);
    this.count = 0;
    /** @type {Map<string, (answer: {ok: boolean, text: string}) => void>} */
    this.waiting = new Map();
    this.onReplies = () => this.deliver();
    model.on("change:replies", this.onReplies);
  }

  /**
   * Send a request; `place` shows how it goes. Returns whether it was carried out, once that is known.
   * @param {Record<string, any>} request @param {HTMLElement} place @param {string} line
   * @returns {Promise<boolean>}
   */
  send(request, place, line) {
    const id = `${this.me}-${this.count++}`;
    const sent = h("span", { className: "dnbl-dim", textContent: "sent…" });
    place.replaceChildren(sent);
    const late = window.setTimeout(() => {
      sent.textContent = "sent; the kernel has not answered yet, it may be busy with a cell";
      if (line) place.append(copyLine(line, "it will be done when the cell ends, or run in another notebook:"));
    }, REPLY_PATIENCE_MS);
    return new Promise((resolve) => {
      this.waiting.set(id, (answer) => {
        window.clearTimeout(late);
        // The form may be gone by now, because the run does not wait any more.
        if (!place.isConnected) this.onGone?.(answer);
        const mark = answer.ok ? "✓ " : "✗ ";
        const long = answer.text.includes("\n") || answer.text.length > 120;
        place.replaceChildren(
          h(long ? "pre" : "span", { className: answer.ok ? "dnbl-good" : "dnbl-bad", textContent: mark + answer.text }),
        );
        if (!answer.ok && line) place.append(copyLine(line));
        resolve(answer.ok);
      });
      try {
        this.model.send({ kind: "do", id, ...request });
      } catch (error) {
        sent.textContent = "the kernel cannot be reached";
      }
    });
  }

  deliver() {
    const replies = this.model.get("replies") ?? {};
    for (const [id, told] of this.waiting) {
      if (!(id in replies)) continue;
      this.waiting.delete(id);
      told(replies[id]);
    }
  }

  stop() {
    this.model.off("change:replies", this.onReplies);
  }
}

/** Where the answer to a request is shown. */
export const replyPlace = () => h("div", { className: "dnbl-reply", "aria-live": "polite", tabIndex: -1 });

/**
 * Send with these buttons switched off. A button that is switched off loses the keyboard, which goes on at the answer.
 * @param {Iterable<HTMLButtonElement>} buttons @param {HTMLElement} place @param {() => Promise<boolean>} send
 */
export function whileOff(buttons, place, send) {
  const sending = send();
  for (const button of buttons) {
    if (button === document.activeElement) place.focus({ preventScroll: true });
    button.disabled = true;
  }
  return sending;
}

/**
 * A form of a message: buttons where the argument is a choice, fields otherwise.
 * @param {any} form as `notebook.live.forms` makes it
 * @param {(args: any[], place: HTMLElement) => Promise<boolean>} submit
 * @param {boolean} [asCard]
 */
export function messageForm(form, submit, asCard = false) {
  const place = replyPlace();
  const only = !form.free && form.fields.length === 1 ? form.fields[0] : null;
  const send = async (/** @type {any[]} */ args, /** @type {HTMLElement} */ within) => {
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (within.querySelectorAll("button.dnbl-send"));
    const done = await whileOff(buttons, place, () => submit(args, place));
    if (!done || !asCard) for (const button of buttons) button.disabled = false;
  };
  const choice = (/** @type {string} */ label, /** @type {any[]} */ args, /** @type {string} */ tone) => {
    const button = h("button", { type: "button", className: `dnbl-button dnbl-send ${tone}`, textContent: label });
    button.addEventListener("click", () => void send(args, row));
    return button;
  };
  const row = h("div", { className: "dnbl-choices" });
  if (!form.free && !form.fields.length) row.append(choice(capital(form.label), [], "dnbl-main"));
  else if (only?.kind === "bool") {
    const approves = /approv|accept|confirm|allow|permit/i.test(`${form.name} ${only.name}`);
    row.append(choice(approves ? "✓ Approve" : "Yes", [true], "dnbl-main"), choice(approves ? "✗ Reject" : "No", [false], ""));
  } else if (only?.kind === "enum" && only.options.length <= 5) {
    for (const option of only.options) row.append(choice(option.label, [option.value], ""));
  } else return fieldForm(form, place, send);
  return h("div", { className: "dnbl-form" }, row, place);
}

const capital = (/** @type {string} */ text) => text.charAt(0).toUpperCase() + text.slice(1);

function fieldForm(form, place, send) {
  const inputs = form.free ? [freeInput()] : form.fields.map((/** @type {any} */ field) => fieldInput(field));
  const button = h("button", { type: "submit", className: "dnbl-button dnbl-send dnbl-main", textContent: `Send ${form.label}` });
  const element = h("form", { className: "dnbl-form dnbl-fields" }, ...inputs.map((/** @type {any} */ input) => input.element),
    h("div", { className: "dnbl-choices" }, button), place);
  element.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const values = inputs.map((/** @type {any} */ input) => input.value());
      void send(form.free ? values[0] : completed(values, form.fields), element);
    } catch (error) {
      place.replaceChildren(h("span", { className: "dnbl-bad", textContent: String(/** @type {any} */ (error).message) }));
    }
  });
  return element;
}

/**
 * Arguments that were left empty get their defaults: a handler is given values of its types only when it gets as many
 * as it has. One whose default cannot be sent ends the list.
 * @param {any[]} values @param {any[]} fields
 */
function completed(values, fields) {
  const found = [];
  for (const [index, value] of values.entries()) {
    if (value !== undefined) found.push(value);
    else if (fields[index].default !== undefined) found.push(fields[index].default);
    else if (fields[index].nullable) found.push(null);
    else break;
  }
  return found;
}

/** A value of a field's type, for a line that is completed by hand. @param {any} field @returns {any} */
export function exampleOf(field) {
  if (field.default !== undefined) return field.default;
  if (field.kind === "object") return Object.fromEntries(field.fields.map((/** @type {any} */ part) => [part.name, exampleOf(part)]));
  if (field.kind === "enum") return field.options[0]?.value;
  return { bool: true, int: 0, float: 0 }[/** @type {string} */ (field.kind)] ?? "…";
}

function freeInput() {
  const input = h("input", { type: "text", placeholder: 'arguments as JSON, e.g. true, "text", {"n": 1}' });
  return {
    element: h("label", {}, h("span", { textContent: "arguments" }), input),
    value: () => parsed(`[${input.value}]`, "the arguments are"),
  };
}

function parsed(text, what) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${what} no JSON: ${text}`);
  }
}

/** @param {any} field */
function fieldInput(field) {
  const label = h("span", { textContent: field.label + (field.required ? "" : " (optional)") });
  if (field.kind === "object") {
    const parts = field.fields.map((/** @type {any} */ part) => fieldInput(part));
    const element = h("fieldset", {}, h("legend", { textContent: field.label }), ...parts.map((/** @type {any} */ part) => part.element));
    const value = () => {
      const found = field.fields.map((/** @type {any} */ part, /** @type {number} */ index) => [part.name, parts[index].value()]);
      return Object.fromEntries(found.filter((/** @type {any} */ pair) => pair[1] !== undefined));
    };
    return { element, value };
  }
  if (field.kind === "bool") {
    const input = h("input", { type: "checkbox", checked: field.default === true });
    return { element: h("label", { className: "dnbl-check" }, input, label), value: () => input.checked };
  }
  if (field.kind === "enum") {
    const input = h("select", {}, ...field.options.map((/** @type {any} */ option, /** @type {number} */ index) =>
      h("option", { value: String(index), textContent: option.label, selected: option.value === field.default })));
    return { element: h("label", {}, label, input), value: () => field.options[Number(input.value)].value };
  }
  const number = field.kind === "int" || field.kind === "float";
  const input = h("input", {
    type: number ? "number" : "text",
    step: field.kind === "int" ? "1" : number ? "any" : undefined,
    required: field.required && field.kind !== "str",
    value: field.default === undefined ? "" : String(field.default),
    placeholder: field.kind === "json" ? "JSON" : "",
  });
  const value = () => {
    if (input.value === "" && !field.required) return undefined;
    if (number) return Number(input.value);
    return field.kind === "json" ? parsed(input.value, `${field.label} is`) : input.value;
  };
  return { element: h("label", {}, label, input), value };
}

/** Hide the readable output that stands for a view while the view lives; returns what shows it again. @param {string} name */
export function hideFallback(name) {
  if (!/^[\w-]+$/.test(name)) return () => {};
  const style = h("style", { textContent: `.${name}, .jp-OutputArea-child:has(.${name}) { display: none !important; }` });
  document.head.append(style);
  return () => style.remove();
}

export const LIVE_CSS = `
.dnbl { border: 1px solid var(--dnb-line); border-radius: 6px; overflow: hidden; margin: 4px 0; }
.dnbl * { box-sizing: border-box; } .dnbl:focus { outline: none; }
.dnbl [hidden] { display: none !important; }
.dnbl-head { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; padding: 7px 12px; background: var(--dnb-raised); border-bottom: 1px solid var(--dnb-line); }
.dnbl-title { font-size: 13px; font-weight: 600; overflow-wrap: anywhere; }
.dnbl-id { font-family: var(--dnb-mono); color: var(--dnb-dim); overflow-wrap: anywhere; }
.dnbl-spring { flex: 1; }
.dnbl-dim { color: var(--dnb-dim); }
.dnbl-state { display: inline-flex; align-items: center; gap: 5px; border-radius: 10px; padding: 1px 9px; font-weight: 600; font-size: 11px; border: 1px solid currentColor; }
.dnbl-state::before { content: attr(data-sign); }
.dnbl-good { color: var(--dnbl-good); } .dnbl-bad { color: var(--dnbl-bad); } .dnbl-busy { color: var(--dnbl-busy); } .dnbl-warn { color: var(--dnbl-warn); }
.dnbl { --dnbl-good: color-mix(in srgb, var(--jp-success-color1, var(--vscode-charts-green, #1a7f4b)) 72%, var(--dnb-fg));
  --dnbl-bad: color-mix(in srgb, var(--jp-error-color1, var(--vscode-errorForeground, #c4303b)) 72%, var(--dnb-fg));
  --dnbl-busy: color-mix(in srgb, var(--jp-brand-color1, var(--vscode-charts-blue, #2563c9)) 72%, var(--dnb-fg));
  --dnbl-warn: color-mix(in srgb, var(--jp-warn-color1, var(--vscode-charts-orange, #8f5f00)) 72%, var(--dnb-fg)); }
.dnbl-part { padding: 7px 12px; } .dnbl-part + .dnbl-part { border-top: 1px solid var(--dnb-line); }
.dnbl-where { display: grid; grid-template-columns: auto 1fr; gap: 2px 10px; align-items: baseline; }
.dnbl-where code, .dnbl-line code { font-family: var(--dnb-mono); font-size: 12px; background: var(--dnb-raised); border-radius: 3px; padding: 1px 5px; overflow-wrap: anywhere; color: var(--dnb-fg); }
.dnbl-line { display: inline-flex; flex-wrap: wrap; gap: 3px 7px; align-items: baseline; }
.dnbl-rows { display: grid; grid-template-columns: minmax(90px, max-content) max-content max-content 1fr; gap: 3px 14px; align-items: baseline; }
.dnbl-rows > .dnbl-wide { grid-column: 1 / -1; padding-left: 14px; }
.dnbl-name { font-weight: 600; overflow-wrap: anywhere; }
.dnbl-progress { display: flex; align-items: center; gap: 8px; min-width: 0; flex-wrap: wrap; }
.dnbl-progress progress { width: 180px; height: 8px; accent-color: var(--dnbl-busy); }
.dnbl-num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.dnbl pre { margin: 4px 0; padding: 6px 9px; background: var(--dnb-raised); color: var(--dnb-fg); font: 12px/1.45 var(--dnb-mono); white-space: pre-wrap; overflow-wrap: anywhere; max-height: 260px; overflow: auto; border-radius: 4px; }
.dnbl pre .dnbl-stderr { color: var(--dnbl-bad); } .dnbl pre .dnbl-log { color: var(--dnb-dim); } .dnbl pre .dnbl-cut { color: var(--dnbl-warn); }
.dnbl-card { border: 1px solid var(--dnbl-busy); border-left-width: 4px; border-radius: 5px; padding: 9px 12px; margin: 4px 0; }
.dnbl-card h4 { margin: 0 0 2px; font-size: 13px; font-weight: 600; color: var(--dnb-fg); }
.dnbl p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; } .dnbl-card p { margin-bottom: 7px; }
.dnbl-choices { display: flex; flex-wrap: wrap; gap: 7px; margin: 4px 0; }
.dnbl-button { font: 600 12px/1.4 var(--dnb-font); color: var(--dnb-fg); background: var(--dnb-bg); border: 1px solid var(--dnb-line); border-radius: 4px; padding: 3px 11px; cursor: pointer; }
.dnbl-button:hover:not(:disabled) { border-color: var(--dnbl-busy); } .dnbl-button:disabled { opacity: .5; cursor: default; }
.dnbl-main { color: var(--jp-ui-inverse-font-color1, var(--vscode-button-foreground, #ffffff)); border-color: transparent;
  background: var(--jp-brand-color1, var(--vscode-button-background, #2563c9)); } .dnbl-danger { color: var(--dnbl-bad); }
.dnbl button:focus-visible, .dnbl input:focus-visible, .dnbl select:focus-visible, .dnbl summary:focus-visible { outline: 2px solid var(--dnb-accent); outline-offset: 1px; }
.dnbl-link { font: inherit; border: 0; background: none; color: var(--dnbl-busy); cursor: pointer; padding: 0 2px; text-decoration: underline; }
.dnbl-fields { display: flex; flex-direction: column; gap: 6px; max-width: 520px; }
.dnbl-fields label { display: grid; grid-template-columns: minmax(90px, 160px) 1fr; gap: 8px; align-items: center; } .dnbl-fields label.dnbl-check { display: flex; }
.dnbl-fields input:not([type="checkbox"]), .dnbl-fields select, .dnbl-ask input { font: 12px var(--dnb-font); color: var(--dnb-fg); background: var(--dnb-bg); border: 1px solid var(--dnb-line); border-radius: 4px; padding: 3px 7px; min-width: 0; }
.dnbl-fields fieldset { border: 1px solid var(--dnb-line); border-radius: 4px; display: flex; flex-direction: column; gap: 6px; margin: 0; }
.dnbl-reply { min-height: 0; overflow-wrap: anywhere; outline: none; } .dnbl-reply:empty { display: none; }
.dnbl-ask { display: flex; flex-wrap: wrap; gap: 7px; align-items: center; padding: 6px 0 2px; }
.dnbl details > summary { cursor: pointer; color: var(--dnb-dim); font-weight: 600; } .dnbl details[open] > summary { margin-bottom: 4px; }
.dnbl .dnbl-facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 0; }
.dnbl .dnbl-facts dt { float: none; width: auto; color: var(--dnb-dim); } .dnbl .dnbl-facts dd { float: none; width: auto; margin: 0; overflow-wrap: anywhere; }
.dnbl table { border-collapse: collapse; width: 100%; font-size: 12px; } .dnbl th { text-align: left; color: var(--dnb-dim); font-weight: 600; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--dnb-line); white-space: nowrap; }
.dnbl td { text-align: left; padding: 3px 10px 3px 0; vertical-align: top; overflow-wrap: anywhere; color: var(--dnb-fg); } .dnbl tbody tr { background: none; }
`;
