// @ts-check
/** What stands around the bars: tooltip, details of one item, the table. Every string goes in as text, never as HTML. */
import { durationText, instantText, LANE_KINDS } from "./timeline-data.js";
import { describeItem, rowItems } from "./timeline-items.js";
import { barEnd } from "./timeline-scene.js";

/** An element with a class, text and attributes. @param {string} tag */
export function make(tag, className = "", text = "", attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Fill and place the tooltip. @param {HTMLElement} tip @param {number} x @param {number} y within the offset parent */
export function showTip(tip, described, x, y, width) {
  tip.replaceChildren(make("b", described.bad ? "dnb-bad" : "", described.title));
  for (const [name, text] of described.lines) {
    const line = make("div", name === "error" ? "dnb-tip-error dnb-bad" : "dnb-tip-line");
    line.append(make("span", "dnb-dim", name), make("span", "", text));
    tip.append(line);
  }
  tip.hidden = false;
  const left = x + 14 + tip.offsetWidth > width ? Math.max(4, x - tip.offsetWidth - 10) : x + 14;
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(y + 16)}px)`;
}

/** Milliseconds after which the kernel is said to be busy. */
export const PATIENCE_MS = 1500;

/**
 * Show what an item is, first what is known here, then what the kernel answers.
 * @param {HTMLElement} panel
 * @param {ReturnType<typeof describeItem>} described
 * @param {((request: Object) => Promise<{fields: [string, string][]}>) | undefined} ask
 * @param {() => void} close
 * @param {(text: string) => void} say
 */
export function showDetails(panel, described, ask, close, say) {
  const title = make("div", "dnb-details-title");
  title.append(make("b", described.bad ? "dnb-bad" : "", `${described.sign} ${described.title}`.trim()));
  const button = make("button", "dnb-button", "✕", { type: "button", "aria-label": "Close the details", title: "Close (Esc)" });
  button.addEventListener("click", close);
  title.append(button);
  const list = make("dl", "dnb-facts");
  const add = ([name, text]) => {
    const value = make("dd", name === "error" || name === "failure" ? "dnb-bad" : "");
    value.append(make("pre", "", text));
    list.append(make("dt", "", name), value);
  };
  described.lines.forEach(add);
  const wait = make("div", "dnb-dim dnb-wait", ask ? "asking the kernel for payloads…" : "");
  panel.replaceChildren(title, list, wait);
  panel.hidden = false;
  if (!ask) return;
  const token = {};
  panel["dnbToken"] = token;
  const timer = setTimeout(() => {
    wait.textContent = "No answer from the kernel yet: it is busy with a cell, or not running. Payloads appear here when it answers.";
  }, PATIENCE_MS);
  const current = () => panel["dnbToken"] === token && panel.isConnected;
  ask(described.request).then((answer) => {
    clearTimeout(timer);
    if (!current()) return;
    const known = new Set(described.lines.map(([name]) => name));
    for (const field of answer.fields) if (!known.has(field[0])) add(field);
    wait.remove();
    say(`${answer.fields.length} details`);
  }, (error) => {
    clearTimeout(timer);
    if (current()) wait.textContent = `The kernel cannot be asked for payloads: ${error.message ?? error}`;
  });
}

/** Rows of the table; more are left out, and said to be. */
export const TABLE_ROWS = 1000;

/** All that is shown as a table, for screen readers and for copying. @param {HTMLElement} host @param {any} scene */
export function fillTable(host, scene) {
  const { data } = scene;
  const table = make("table", "", "", { "aria-label": "Attempts, timers, children and messages of the run" });
  const header = make("tr");
  for (const name of ["type", "ID", "what", "outcome", "began", "took", "error"]) header.append(make("th", "", name, { scope: "col" }));
  const body = make("tbody");
  let left = 0;
  for (const row of scene.rows) {
    for (const item of rowItems(data, row)) {
      if (body.childElementCount >= TABLE_ROWS) {
        left++;
        continue;
      }
      body.append(tableRow(scene, item));
    }
  }
  const head = make("thead");
  head.append(header);
  table.append(head, body);
  host.replaceChildren(table);
  if (left) host.append(make("p", "dnb-dim", `… and ${left.toLocaleString("en")} more: search or “failed only” narrows the table`));
}

function tableRow(scene, item) {
  const { data } = scene;
  const { columns: c, texts } = data;
  const described = describeItem(scene, item);
  const bars = c.bar_lane.length;
  const lane = item < bars ? c.bar_lane[item] : c.mark_lane[item - bars];
  const start = item < bars ? c.bar_start[item] : c.mark_start[item - bars];
  const end = item < bars ? barEnd(scene, item) : c.mark_end[item - bars];
  const known = Object.fromEntries(described.lines);
  const cells = [
    item < bars ? texts[c.lane_label[lane]] : described.title,
    LANE_KINDS[c.lane_kind[lane]] === "messages" ? "" : texts[c.lane_ident[lane]],
    (known.what ?? "").split(",")[0], `${described.sign} ${described.said}`.trim(),
    instantText(data.head.start + start), durationText(end - start), known.error ?? "",
  ];
  const row = make("tr");
  for (const text of cells) row.append(make("td", "", text));
  return row;
}
