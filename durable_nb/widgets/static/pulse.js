// @ts-check
/**
 * Whether the kernel still stands behind a display.
 *
 * JupyterLab and Notebook know at once that a kernel was killed, restarted or shut down; they tell it by the kernel of
 * the widget manager. Where a front end tells nothing, a kernel is believed gone after a silence: it gives a sign of
 * life every few seconds, also while a cell is busy.
 */

const SILENCE_MS = 16000;
const LISTEN_EVERY_MS = 2000;
const ENDINGS = ["restarting", "autorestarting", "terminating", "dead"];

export class Pulse {
  /**
   * @param {any} model
   * @param {() => void} changed called when `lost` has changed
   * @param {{silent?: boolean}} [options] `silent`: the kernel gives no signs of life for this display
   */
  constructor(model, changed, { silent = false } = {}) {
    this.model = model;
    this.changed = changed;
    /** What happened to the kernel, in words; empty while all is well. */
    this.lost = "";
    this.lastNews = Date.now();
    this.onNews = () => this.heard();
    this.onStatus = (/** @type {any} */ _, /** @type {string} */ status) => {
      if (ENDINGS.includes(status)) this.lose(`The kernel ended at ${new Date().toLocaleTimeString()}`);
    };
    this.onDisposed = () => this.onStatus(null, "dead");
    if (!silent) model.on("change", this.onNews);
    this.kernel = model.widget_manager?.kernel;
    this.kernel?.statusChanged?.connect(this.onStatus);
    this.kernel?.disposed?.connect(this.onDisposed);
    this.timer = silent ? 0 : window.setInterval(() => this.listen(), LISTEN_EVERY_MS);
  }

  heard() {
    this.lastNews = Date.now();
    if (this.lost) this.lose("");
  }

  listen() {
    if (this.lost || Date.now() - this.lastNews < SILENCE_MS) return;
    this.lose(`No news from the kernel since ${new Date(this.lastNews).toLocaleTimeString()}`);
  }

  /** @param {string} text */
  lose(text) {
    if (this.lost === text) return;
    this.lost = text;
    this.changed();
  }

  stop() {
    window.clearInterval(this.timer);
    this.model.off("change", this.onNews);
    this.kernel?.statusChanged?.disconnect(this.onStatus);
    this.kernel?.disposed?.disconnect(this.onDisposed);
  }
}
