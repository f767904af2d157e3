// @ts-check
/** Style of a timeline; colours are variables of theme.js. */
export const TIMELINE_CSS = `
.dnb-timeline { position: relative; border: 1px solid var(--dnb-line); border-radius: 6px; overflow: hidden; margin: 4px 0; }
.dnb-timeline * { box-sizing: border-box; }
.dnb-timeline canvas { display: block; }
.dnb-timeline [hidden] { display: none !important; }
.dnb-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; padding: 6px 8px; border-bottom: 1px solid var(--dnb-line); }
.dnb-bar-title { font-weight: 600; max-width: 26%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding: 0 6px 0 4px; }
.dnb-grow { flex: 1 1 0; min-width: 0; }
.dnb-search { flex: 0 1 220px; min-width: 110px; height: 26px; padding: 0 8px; border: 1px solid var(--dnb-line); border-radius: 4px; color: var(--dnb-fg); background: var(--dnb-bg); font: inherit; }
.dnb-button { height: 26px; padding: 0 9px; border: 1px solid var(--dnb-line); border-radius: 4px; color: var(--dnb-fg); background: var(--dnb-bg); font: inherit; cursor: pointer; white-space: nowrap; }
.dnb-button:hover { background: var(--dnb-raised); }
.dnb-button[aria-pressed="true"] { border-color: var(--dnb-accent); box-shadow: inset 0 0 0 1px var(--dnb-accent); }
.dnb-button:focus-visible, .dnb-search:focus-visible, .dnb-scroll:focus-visible { outline: 2px solid var(--dnb-accent); outline-offset: -2px; }
.dnb-overview { cursor: pointer; touch-action: none; }
.dnb-axis { cursor: crosshair; touch-action: none; }
.dnb-scroll { position: relative; overflow-x: hidden; overflow-y: auto; outline: none; cursor: default; touch-action: pan-y; }
.dnb-scroll canvas { position: sticky; top: 0; }
.dnb-scroll.dnb-grab { cursor: grabbing; }
.dnb-scroll.dnb-point { cursor: pointer; }
.dnb-status { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; padding: 5px 12px; border-top: 1px solid var(--dnb-line); color: var(--dnb-dim); min-height: 30px; }
.dnb-status b { color: var(--dnb-fg); font-weight: 600; }
.dnb-legend { margin-left: auto; display: flex; flex-wrap: wrap; gap: 2px 10px; font-size: 11px; }
.dnb-bad { color: var(--dnb-failed); }
.dnb-dim { color: var(--dnb-dim); }
.dnb-tip { position: absolute; left: 0; top: 0; z-index: 5; max-width: 460px; padding: 7px 10px; border: 1px solid var(--dnb-line); border-radius: 5px; background: var(--dnb-bg); box-shadow: 0 3px 12px var(--jp-shadow-umbra-color, var(--vscode-widget-shadow, rgba(0,0,0,0.2))); pointer-events: none; overflow-wrap: anywhere; }
.dnb-tip-line, .dnb-tip-error { display: grid; grid-template-columns: 96px 1fr; gap: 8px; }
.dnb-details { border-top: 1px solid var(--dnb-line); padding: 8px 12px 10px; max-height: 320px; overflow: auto; background: var(--dnb-bg); }
.dnb-details-title { display: flex; justify-content: space-between; align-items: center; font-size: 13px; margin-bottom: 4px; }
.dnb .dnb-facts { display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 3px 14px; margin: 0; }
.dnb .dnb-facts dt { float: none; width: auto; color: var(--dnb-dim); font-weight: 400; }
.dnb .dnb-facts dd { float: none; width: auto; margin: 0; min-width: 0; }
.dnb-facts pre { margin: 0; padding: 0; border: 0; background: none; color: inherit; font: 12px/1.45 var(--dnb-mono); white-space: pre-wrap; overflow-wrap: anywhere; }
.dnb-wait { margin-top: 6px; }
.dnb-table { border-top: 1px solid var(--dnb-line); max-height: 320px; overflow: auto; }
.dnb-table table { border-collapse: collapse; width: 100%; font-size: 12px; }
.dnb-table th, .dnb-table td { text-align: left; padding: 3px 10px; border-bottom: 1px solid var(--dnb-line); vertical-align: top; overflow-wrap: anywhere; }
.dnb-table th { position: sticky; top: 0; background: var(--dnb-raised); font-weight: 600; white-space: nowrap; }
.dnb-notice { padding: 5px 12px; border-bottom: 1px solid var(--dnb-line); background: var(--dnb-raised); }
.dnb-empty { padding: 18px; color: var(--dnb-dim); }
@media (forced-colors: active) { .dnb-button[aria-pressed="true"] { border-style: double; } }
`;
