// @ts-check
/**
 * Colours in every front end: Lab's variables, else VS Code's, else our own for light or dark. A canvas cannot use
 * variables, so `palette` reads them; `watchTheme` tells when to read them again.
 */

export const THEME_CSS = `
.dnb { --dnb-bg: var(--jp-layout-color1, var(--vscode-editor-background, #ffffff));
  --dnb-fg: var(--jp-ui-font-color1, var(--vscode-editor-foreground, #1f2328));
  --dnb-dim: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #59636e));
  --dnb-line: var(--jp-border-color2, var(--vscode-panel-border, #d1d9e0));
  --dnb-raised: var(--jp-layout-color2, var(--vscode-sideBar-background, #f6f8fa));
  --dnb-accent: var(--jp-brand-color1, var(--vscode-focusBorder, #0969da));
  --dnb-font: var(--jp-ui-font-family, var(--vscode-font-family, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif));
  --dnb-mono: var(--jp-code-font-family, var(--vscode-editor-font-family, ui-monospace, Menlo, Consolas, monospace));
  color: var(--dnb-fg); background: var(--dnb-bg); font: 12px/1.45 var(--dnb-font); color-scheme: light; }
@media (prefers-color-scheme: dark) { .dnb {
  --dnb-bg: var(--jp-layout-color1, var(--vscode-editor-background, #16191d));
  --dnb-fg: var(--jp-ui-font-color1, var(--vscode-editor-foreground, #e4e8ec));
  --dnb-dim: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #9aa4b0));
  --dnb-line: var(--jp-border-color2, var(--vscode-panel-border, #363c44));
  --dnb-raised: var(--jp-layout-color2, var(--vscode-sideBar-background, #20242a));
  --dnb-accent: var(--jp-brand-color1, var(--vscode-focusBorder, #6cb6ff)); } }
.dnb[data-dnb-theme="dark"] { color-scheme: dark; }
.dnb-sr { position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0; }
`;

const LIGHT = {
  completed: "#4f9d80", failed: "#cf3f4a", timed_out: "#c0661c", canceled: "#858d97", lost: "#7a4fa3", running: "#3f7fd6",
  queued: "#aeb6c0", backoff: "#c58a1d", wait: "#e3eaf4", waitLine: "#7f97b8", child: "#e6e3f5", childLine: "#8678c0",
  span: "#c3cad3", task: "#6b7683", signal: "#3f7fd6", update: "#8a63c7", onBar: "#ffffff", stripe: "rgba(40,50,65,0.035)",
  grid: "rgba(40,50,65,0.09)", gap: "rgba(40,50,65,0.05)", gapLine: "rgba(40,50,65,0.28)", hatch: "rgba(255,255,255,0.3)",
  select: "rgba(63,127,214,0.13)",
};
const DARK = {
  completed: "#3f8f73", failed: "#dc5560", timed_out: "#cf8138", canceled: "#7e8794", lost: "#9d7fd6", running: "#4d8fe6",
  queued: "#565f6b", backoff: "#c2923c", wait: "#27303d", waitLine: "#6580a6", child: "#2d2a44", childLine: "#9286d6",
  span: "#4a525d", task: "#97a2af", signal: "#6aa8f5", update: "#b391ec", onBar: "#ffffff", stripe: "rgba(255,255,255,0.03)",
  grid: "rgba(255,255,255,0.08)", gap: "rgba(255,255,255,0.045)", gapLine: "rgba(255,255,255,0.3)",
  hatch: "rgba(0,0,0,0.25)", select: "rgba(108,182,255,0.17)",
};

/**
 * Colours and fonts as they are now. Sets `data-dnb-theme` on the element.
 * @param {HTMLElement} element an element of class `dnb`
 */
export function palette(element) {
  const style = getComputedStyle(element);
  const dark = luminance(style.backgroundColor) < 0.4;
  element.dataset.dnbTheme = dark ? "dark" : "light";
  return {
    ...(dark ? DARK : LIGHT), dark,
    bg: style.backgroundColor, fg: style.color,
    dim: style.getPropertyValue("--dnb-dim").trim() || style.color,
    line: style.getPropertyValue("--dnb-line").trim() || style.color,
    raised: style.getPropertyValue("--dnb-raised").trim() || style.backgroundColor,
    accent: style.getPropertyValue("--dnb-accent").trim() || style.color,
    font: style.fontFamily,
  };
}

/** Relative lightness, 0 to 1, of a computed `rgb(…)` colour. @param {string} color */
function luminance(color) {
  const [r, g, b] = (color.match(/[\d.]+/g) ?? ["255", "255", "255"]).map(Number);
  const scale = color.startsWith("color(") ? 1 : 255;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / scale;
}

/**
 * Call back whenever the colours of an element may have changed: the page has another theme, or the element came onto
 * the page. Notebook 7 builds a widget before it is on the page, where no element has a colour yet.
 * @param {HTMLElement} element
 * @param {() => void} changed
 * @returns {() => void} stops watching
 */
export function watchTheme(element, changed) {
  const placed = new ResizeObserver(() => {
    if (!element.isConnected) return;
    placed.disconnect();
    changed();
  });
  placed.observe(element);
  const observer = new MutationObserver(changed);
  const attributeFilter = ["data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind", "class", "style", "data-theme"];
  observer.observe(document.body, { attributes: true, attributeFilter });
  observer.observe(document.documentElement, { attributes: true, attributeFilter });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", changed);
  // Lab loads the variables of a theme as a style sheet some time after it changed the attribute.
  const sheets = new MutationObserver((records) => {
    const isStyle = (/** @type {Node} */ node) => node.nodeName === "STYLE" || node.nodeName === "LINK";
    if (records.some((r) => [...r.addedNodes, ...r.removedNodes].some(isStyle))) changed();
  });
  sheets.observe(document.head, { childList: true });
  const loaded = (/** @type {Event} */ event) => {
    if (/** @type {Element} */ (event.target)?.nodeName === "LINK") changed();
  };
  document.head.addEventListener("load", loaded, true);
  return () => {
    placed.disconnect();
    observer.disconnect();
    sheets.disconnect();
    media.removeEventListener("change", changed);
    document.head.removeEventListener("load", loaded, true);
  };
}

/** A style sheet inside of `root`, so that it lives and dies with the view. @param {HTMLElement} root @param {string} css */
export function addStyle(root, css) {
  const style = document.createElement("style");
  style.textContent = css;
  root.append(style);
}
