// @ts-check
/** The live display of one run. Its parts are those of `notebook.live.state`; each is drawn anew when it changes. */
import { addStyle, palette, THEME_CSS, watchTheme } from "./theme.js";
import { copyLine, exampleOf, h, hideFallback, LIVE_CSS, localTime, magicLine, messageForm, replyPlace, Requests, spanText, Ticker, tookText, whileOff } from "./live.js";
import { Pulse } from "./pulse.js";
import { createTimeline } from "./timeline.js";

const STATE_SIGNS = { running: "●", completed: "✓", failed: "✗", "timed out": "⧖", terminated: "■", canceled: "⊘", "continued as new": "↻" };
const FLASH_MS = 8000;
const TALKS = [["signal", "signals"], ["query", "queries"], ["update", "updates"]];

class RunDisplay {
  /** @param {any} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.ticker = new Ticker();
    this.requests = new Requests(model, (answer) => this.flash(answer));
    this.asking = h("div");
    /** @type {Map<string, {resolve: Function, reject: Function}>} */
    this.asked = new Map();
    this.parts = Object.fromEntries(
      ["head", "note", "outcome", "where", "cards", "flash", "pending", "timeline", "more", "buttons"].map((name) => [
        name, h(name === "head" ? "header" : "div", { className: name === "head" ? "dnbl-head" : "dnbl-part", hidden: true }),
      ]),
    );
    this.said = h("div", { className: "dnb-sr", role: "status", "aria-live": "polite" });
    this.root = h("section", { className: "dnb dnbl", tabIndex: -1 }, ...Object.values(this.parts), this.said);
    el.append(this.root);
    addStyle(el, THEME_CSS);
    addStyle(el, LIVE_CSS);
    palette(this.root);
    this.stopTheme = watchTheme(this.root, () => palette(this.root));
    this.showAgain = hideFallback(model.get("fallback") ?? "");
    this.drawn = new Map();
    this.listen();
  }

  listen() {
    /** @type {[string, () => void][]} */
    const drawings = [
      ["run", () => this.head()], ["link", () => this.note()], ["run", () => this.outcome()], ["position", () => this.where()],
      ["talk", () => this.cards()], ["pending", () => this.pending()], ["timeline", () => this.timeline()],
      ["output", () => this.more()], ["failed", () => this.more()], ["run", () => this.more()],
      ["talk", () => this.buttons()], ["run", () => this.buttons()], ["pending", () => this.buttons()],
    ];
    this.handlers = drawings.map(([name, draw]) => [`change:${name}`, draw]);
    this.handlers.push(["msg:custom", (/** @type {any} */ message) => this.answered(message)]);
    for (const [event, handler] of this.handlers) this.model.on(event, handler);
    for (const [, draw] of drawings) draw();
    this.model.send({ kind: "seen" });
    this.pulse = new Pulse(this.model, () => this.note());
  }

  /** The line for a request about this very run. @param {any} request */
  line(request) {
    const run = this.model.get("run");
    return magicLine(run.raw_id, "", request);
  }

  /** @param {any} request @param {HTMLElement} place */
  send(request, place) {
    return this.requests.send(request, place, this.line(request));
  }

  head() {
    const run = this.model.get("run");
    if (!run.status) return;
    this.ticker.set(run.now);
    this.root.setAttribute("aria-label", `Workflow run ${run.id}`);
    const state = h("span", { className: `dnbl-state dnbl-${run.tone}`, "data-sign": STATE_SIGNS[run.status] ?? "●", textContent: run.status });
    const time = run.open
      ? this.ticker.text("span", "dnbl-dim dnbl-num", (now) =>
          run.begins_at > now ? `begins in ${spanText(run.begins_at - now)}` : `for ${spanText(now - run.started_at)}`)
      : h("span", { className: "dnbl-dim dnbl-num", textContent: `took ${tookText(run.closed_at - run.started_at)}, ended ${localTime(run.closed_at)}` });
    this.fill("head", h("span", { className: "dnbl-title", textContent: run.type }), h("span", { className: "dnbl-id", textContent: run.id }),
      h("span", { className: "dnbl-spring" }), time, state);
    if (this.status && this.status !== run.status) this.said.textContent = `${run.id} is ${run.status}`;
    this.status = run.status;
  }

  note() {
    const link = this.model.get("link") ?? {};
    const lost = link.state === "live" && this.pulse?.lost
      ? `${this.pulse.lost}: this is the last known state. After a restart, run the workflow's cell and show the run again; it goes on from there.` : "";
    this.ticker.stands = Boolean(lost);
    this.drawing?.stand(Boolean(lost));
    const text = lost || link.message;
    this.fill("note", text ? h("span", { className: "dnbl-warn", role: "status", textContent: text }) : null);
  }

  outcome() {
    const run = this.model.get("run");
    const blocks = (run.outcome ?? []).map((/** @type {any} */ part) => h("div", {},
      h("b", { className: part.tone ? `dnbl-${part.tone}` : "", textContent: part.title }), h("pre", { textContent: part.text })));
    const task = run.task;
    if (task) {
      blocks.push(h("div", { className: `dnbl-${task.tone}` },
        h("b", { textContent: task.tone === "bad" ? "workflow code raised; fix the cell and run it" : "waiting" }),
        h("pre", { textContent: task.stack ? `${task.text}\n${task.stack}` : task.text }),
        task.next_at ? this.ticker.text("span", "dnbl-dim dnbl-num", (now) => `attempt ${task.attempt}, next ${this.until(task.next_at, now)}`) : null));
    }
    this.fill("outcome", ...blocks);
  }

  where() {
    const rows = [];
    for (const place of this.model.get("position") ?? []) {
      rows.push(h("span", { className: "dnbl-dim", textContent: `${place.where}, line ${place.line}, in ${place.function}` }),
        h("code", { textContent: place.source || " " }));
    }
    this.fill("where", rows.length ? h("div", { className: "dnbl-where", role: "group", "aria-label": "current step" }, ...rows) : null);
  }

  cards() {
    const talk = this.model.get("talk");
    const key = JSON.stringify([talk.cards, talk.details, talk.waits]);
    if (!this.changed("cards", key)) return;  // what a person is typing stays
    const shown = (talk.cards ?? []).map((/** @type {any} */ form, /** @type {number} */ index) => {
      const title = form.description || capitalised(form.label);
      const submit = (/** @type {any[]} */ args, /** @type {HTMLElement} */ place) =>
        this.send({ action: form.kind, name: form.name, args }, place);
      return h("div", { className: "dnbl-card", role: "group", "aria-label": `waits for ${form.kind} ${form.name}` },
        h("h4", { textContent: title }), index === 0 && talk.details ? h("p", { textContent: talk.details }) : null,
        messageForm(form, submit, true));
    });
    if (shown.length) this.said.textContent = `${this.model.get("run").id} waits for an answer: ${shown[0].querySelector("h4").textContent}`;
    if (!shown.length && talk.details) shown.push(h("p", { className: "dnbl-dim", textContent: talk.details }));
    else if (!shown.length && talk.waits) shown.push(h("span", { className: "dnbl-dim", textContent: "waits for a message or a condition" }));
    this.fill("cards", ...shown);
  }

  /** Say for a while what came of a click. @param {{ok: boolean, text: string}} answer */
  flash(answer) {
    this.fill("flash", h("span", { className: answer.ok ? "dnbl-good" : "dnbl-bad", role: "status", textContent: `${answer.ok ? "✓" : "✗"} ${answer.text}` }));
    window.clearTimeout(this.flashed);
    this.flashed = window.setTimeout(() => this.fill("flash"), FLASH_MS);
  }

  /** @param {number} instant @param {number} now */
  until(instant, now) {
    return instant > now ? `in ${spanText(instant - now + 499999)}` : "now";
  }

  pending() {
    const pending = this.model.get("pending");
    if (!pending.activities) return;
    const rows = [];
    for (const each of pending.activities) rows.push(...this.activity(each));
    for (const timer of pending.timers) {
      rows.push(h("span", { className: "dnbl-name", textContent: `timer ${timer.id}` }), h("span", { className: "dnbl-dim", textContent: "waits" }),
        h("span"), this.ticker.text("span", "dnbl-num", (now) => `fires ${this.until(timer.fire_at, now)}`));
    }
    for (const child of pending.children) {
      rows.push(h("span", { className: "dnbl-name", textContent: child.type }), h("span", { className: "dnbl-dim", textContent: "child" }),
        h("span"), h("span", { className: "dnbl-id", textContent: child.id }));
    }
    if (pending.more) rows.push(h("span", { className: "dnbl-wide dnbl-dim", textContent: `… and ${pending.more} more` }));
    this.fill("pending", rows.length ? h("div", { className: "dnbl-rows", role: "group", "aria-label": "pending" }, ...rows) : null);
  }

  /** @param {any} each */
  activity(each) {
    const attempt = each.attempt > 1 || each.of ? `attempt ${each.attempt}${each.of ? ` of ${each.of}` : ""}` : "";
    const last = h("span", { className: "dnbl-progress" });
    if (each.next_at) last.append(this.ticker.text("span", "dnbl-num dnbl-warn", (now) => `next attempt ${this.until(each.next_at, now)}`));
    else last.append(this.ticker.text("span", "dnbl-num dnbl-dim", (now) => spanText(now - each.since)));
    if (each.progress) last.append(...this.progress(each));
    const rows = [h("span", { className: "dnbl-name", textContent: each.type, title: `activity ${each.id}` }),
      h("span", { className: each.state === "running" ? "dnbl-busy" : "dnbl-dim", textContent: each.state }),
      h("span", { className: "dnbl-dim dnbl-num", textContent: attempt }), last];
    if (each.error) {
      const error = h("span", { className: "dnbl-bad", textContent: `last error  ${each.error}` });
      rows.push(each.stack
        ? h("details", { className: "dnbl-wide" }, h("summary", {}, error), h("pre", { textContent: each.stack }))
        : h("span", { className: "dnbl-wide" }, error));
    }
    return rows;
  }

  /** @param {any} each */
  progress(each) {
    const { fraction, done, total, label, ends_at: endsAt, text, learned } = each.progress;
    const parts = [];
    if (fraction >= 0) {
      parts.push(h("progress", { max: 1, value: fraction, "aria-label": `${each.type} ${Math.round(fraction * 100)} %` }),
        h("span", { className: "dnbl-num", textContent: `${Math.floor(fraction * 100)} %  ${done}/${total}` }));
    } else if (done) parts.push(h("span", { className: "dnbl-num", textContent: `${done} done` }));
    if (label) parts.push(h("span", { textContent: label }));
    if (endsAt) {
      const how = learned ? "learned from earlier attempts and this one's pace" : "by this attempt's pace";
      const left = this.ticker.text("span", "dnbl-num dnbl-dim", (now) => (endsAt > now ? `about ${spanText(endsAt - now)} left` : "any moment"));
      left.title = how;
      parts.push(left);
    }
    if (text) parts.push(h("span", { className: "dnbl-dim", textContent: text }));
    return parts;
  }

  timeline() {
    const packed = this.model.get("timeline");
    if (!packed?.byteLength) return;
    if (!this.drawing) {
      const host = h("div");
      this.fill("timeline", host);
      this.drawing = createTimeline(host, {
        maxHeight: 260,
        details: (request) => this.details(request),
        expand: (child) => this.model.send({ kind: "expand", child }),
      });
    }
    this.drawing.update(packed);
  }

  /** Ask the kernel for what a bar holds. @param {any} request @returns {Promise<any>} */
  details(request) {
    return new Promise((resolve, reject) => {
      const id = `${this.requests.me}-d${this.requests.count++}`;
      this.asked.set(id, { resolve, reject });
      this.model.send({ kind: "details", id, request });
    });
  }

  /** @param {any} message */
  answered(message) {
    const asked = this.asked.get(message?.id);
    if (!asked) return;
    this.asked.delete(message.id);
    if (message.error) asked.reject(new Error(message.error));
    else asked.resolve(message);
  }

  more() {
    const output = this.model.get("output") ?? [];
    const failed = this.model.get("failed") ?? {};
    const run = this.model.get("run");
    const key = JSON.stringify([output, failed, run.facts]);
    if (!this.changed("more", key)) return;
    const open = new Set([...this.parts.more.querySelectorAll("details[open]")].map((each) => each.dataset.name));
    const scrolls = new Map([...this.parts.more.querySelectorAll("pre")].map((each) => [each.dataset.name, each.scrollTop + each.clientHeight >= each.scrollHeight - 4 ? Infinity : each.scrollTop]));
    const fold = (/** @type {string} */ name, /** @type {string} */ title, /** @type {Node} */ ...content) => {
      const element = h("details", { open: open.has(name) }, h("summary", { textContent: title }), ...content);
      element.dataset.name = name;
      return element;
    };
    const shown = [];
    if (output.length) shown.push(fold("output", `Output of activities (${output.length})`, ...output.map(outputBlock)));
    if (failed.count) shown.push(fold("failed", `Attempts that failed (${failed.count})`, failedTable(failed)));
    if (run.facts) shown.push(fold("facts", "Details", factList(run.facts)));
    this.fill("more", ...shown);
    for (const pre of this.parts.more.querySelectorAll("pre")) pre.scrollTop = scrolls.get(pre.dataset.name) ?? Infinity;
  }

  buttons() {
    const run = this.model.get("run"), talk = this.model.get("talk") ?? {}, pending = this.model.get("pending") ?? {};
    const ended = ["failed", "timed out", "terminated"].includes(run.status);
    const stuck = run.open && (run.task?.tone === "bad" || (pending.activities ?? []).some((/** @type {any} */ each) => each.next_at));
    const kinds = TALKS.filter(([, many]) => (talk[many] ?? []).length);
    const key = JSON.stringify([run.open, stuck, ended, kinds.map(([, many]) => talk[many])]);
    if (!this.changed("buttons", key)) return;
    const buttons = kinds.map(([kind, many]) => this.button(`${capitalised(kind)}…`, "", () => this.askMessage(kind, talk[many])));
    if (stuck) buttons.push(this.button("Retry now…", "", () => this.ask({ action: "retry" }, "Try again now what waits for its next attempt?", "Retry now")));
    if (ended) buttons.push(this.button("Retry…", "", () => this.ask({ action: "retry" }, "Start a new run that goes on from before the failure?", "Retry")));
    if (run.open) {
      buttons.push(
        this.button("Cancel…", "", () => this.ask({ action: "cancel" }, "Ask the workflow to stop? Its code decides how it ends.", "Cancel the workflow", true)),
        this.button("Terminate…", "dnbl-danger", () => this.ask({ action: "terminate" }, "End the run at once? None of its code runs again.", "Terminate the run", true)),
      );
    }
    this.asking.replaceChildren();
    this.fill("buttons", buttons.length ? h("div", { className: "dnbl-choices", role: "group", "aria-label": "actions" }, ...buttons) : null, buttons.length ? this.asking : null);
  }

  /** @param {string} text @param {string} tone @param {() => void} act */
  button(text, tone, act) {
    return h("button", { type: "button", className: `dnbl-button ${tone}`, textContent: text, onclick: act });
  }

  /** Ask before something is done. @param {any} request @param {string} question @param {string} yes @param {boolean} [withReason] */
  ask(request, question, yes, withReason = false) {
    const place = replyPlace();
    const reason = h("input", { type: "text", placeholder: "reason (optional)", "aria-label": "reason" });
    const lineHost = h("div");
    const full = () => ({ ...request, reason: withReason && reason.value ? reason.value : undefined });
    const showLine = () => { const line = this.line(full()); lineHost.replaceChildren(line ? copyLine(line) : ""); };
    reason.addEventListener("input", showLine);
    const confirm = this.button(yes, "dnbl-send " + (withReason ? "dnbl-danger" : "dnbl-main"), async () => {
      // Its line stands above already.
      const done = await whileOff([confirm], place, () => this.requests.send(full(), place, ""));
      if (!done) confirm.disabled = false;
    });
    const no = this.button("No", "", () => this.stopAsking());
    const box = h("div", { role: "group", "aria-label": question },
      h("div", { className: "dnbl-ask" }, h("b", { textContent: question }), withReason ? reason : null, confirm, no), lineHost, place);
    showLine();
    this.show(box, confirm);
  }

  /** Show a question; Escape takes it away. @param {HTMLElement} box @param {HTMLElement} first where its answer begins */
  show(box, first) {
    this.askedFrom = document.activeElement;
    box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.stopAsking(); });
    this.asking.replaceChildren(box);
    first.focus();
  }

  /** Take the question away; the keyboard goes on where it was before. */
  stopAsking() {
    this.asking.replaceChildren();
    const before = /** @type {HTMLElement | undefined} */ (this.askedFrom);
    (before?.isConnected ? before : this.root).focus({ preventScroll: true });
  }

  /** @param {string} kind @param {any[]} forms */
  askMessage(kind, forms) {
    const choose = h("select", { "aria-label": `${kind} to send` }, ...forms.map((form, index) => h("option", { value: String(index), textContent: form.name })));
    const host = h("div");
    const show = () => {
      const form = forms[Number(choose.value)];
      const example = form.free ? [] : form.fields.map(exampleOf);
      const line = this.line({ action: kind, name: form.name, args: example });
      host.replaceChildren(form.description ? h("p", { className: "dnbl-dim", textContent: form.description }) : "",
        messageForm(form, (args, place) => this.send({ action: kind, name: form.name, args }, place)), line ? copyLine(line) : "");
    };
    choose.addEventListener("change", show);
    const close = this.button("Close", "", () => this.stopAsking());
    show();
    this.show(h("div", { role: "group", "aria-label": kind }, h("div", { className: "dnbl-ask" }, h("b", { textContent: capitalised(kind) }), choose), host,
      h("div", { className: "dnbl-choices" }, close)), choose);
  }

  /** Put nodes into a part; an empty part is hidden. @param {string} name @param {...(Node | null)} nodes */
  fill(name, ...nodes) {
    const found = nodes.filter((node) => node !== null);
    const part = this.parts[name];
    const focused = part.contains(document.activeElement);
    part.replaceChildren(...found);
    part.hidden = !found.length;
    // What had the keyboard is gone: it stays with this run, or the next Tab would begin at the top of the page.
    if (focused && !part.contains(document.activeElement)) this.root.focus({ preventScroll: true });
  }

  /** @param {string} name @param {string} key */
  changed(name, key) {
    if (this.drawn.get(name) === key) return false;
    this.drawn.set(name, key);
    return true;
  }

  destroy() {
    for (const [event, handler] of this.handlers ?? []) this.model.off(event, handler);
    try {
      this.model.send({ kind: "gone" });
    } catch { /* the kernel is gone already */ }
    this.pulse?.stop();
    window.clearTimeout(this.flashed);
    this.requests.stop();
    this.ticker.stop();
    this.stopTheme?.();
    this.drawing?.destroy();
    this.showAgain();
  }
}

const capitalised = (/** @type {string} */ text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {any} output */
function outputBlock(output) {
  const pre = h("pre", { tabIndex: 0, "aria-label": `output of ${output.name}, attempt ${output.attempt}` });
  pre.dataset.name = `${output.id}/${output.attempt}`;
  if (output.left_out) pre.append(h("span", { className: "dnbl-cut", textContent: `… ${output.left_out.toLocaleString()} characters before; %workflow show --output has them\n` }));
  for (const [stream, text] of output.pieces) pre.append(h("span", { className: `dnbl-${stream}`, textContent: stream === "cut" ? `\n${text}\n` : text }));
  return h("div", {}, h("span", { className: "dnbl-name", textContent: output.name }), h("span", { className: "dnbl-dim", textContent: `  activity ${output.id}, attempt ${output.attempt}` }), pre);
}

/** @param {any} failed */
function failedTable(failed) {
  const head = ["activity", "attempt", "outcome", "error", "took"].map((text) => h("th", { scope: "col", textContent: text }));
  const rows = failed.rows.map((/** @type {any} */ row) => h("tr", {}, ...[row.type, row.attempt, row.outcome, row.error, row.took].map((text) => h("td", { textContent: String(text) }))));
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
  return failed.count > failed.rows.length ? h("div", {}, table, h("span", { className: "dnbl-dim", textContent: `the last ${failed.rows.length} of ${failed.count} are shown` })) : table;
}

/** @param {[string, string][]} facts */
function factList(facts) {
  return h("dl", { className: "dnbl-facts" }, ...facts.flatMap(([name, value]) => [h("dt", { textContent: name }), h("dd", { textContent: value })]));
}

function renderRun({ model, el }) {
  const display = new RunDisplay(model, el);
  return () => display.destroy();
}

export default { render: renderRun };
