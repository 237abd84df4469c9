import { Markup } from './markup.js';

/** How the page looks: one column, light or dark as the reader has it, black on white on paper. */
export const STYLE = new Markup(`
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --panel: #f4f6f8;
  --line: #d0d7de; --bar: #2f6fb3; --good: #1a6b37; --bad: #a3261c; --warn: #7a4d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a4adb7; --paper: #14171b; --panel: #1f242a;
  --line: #3b434c; --bar: #6aa5e3; --good: #6fce91; --bad: #ff9086; --warn: #e8b559; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; }
p { margin: .4rem 0; max-width: 54rem; }
.soft { color: var(--soft); }
.verdict { font-size: 1.1rem; margin: 1.1rem 0; padding: .7rem 1rem; border-left: 5px solid var(--good);
  background: var(--panel); max-width: none; }
.verdict.bad { border-color: var(--bad); } .verdict.warn { border-color: var(--warn); }
dl.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 1rem 0; }
dl.tiles div { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; }
dl.tiles dt { color: var(--soft); font-size: .85rem; } dl.tiles dd { margin: 0; font-size: 1.45rem; font-weight: 600;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; line-height: 1.25; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: .5rem 0; }
dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding: .2rem 0 .4rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; border-bottom: 2px solid var(--line); }
tbody th { font-weight: 500; } tbody th.n { width: 1%; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide { min-width: 12rem; overflow-wrap: anywhere; }
td.id { overflow-wrap: anywhere; min-width: 5rem; }
td.chart { width: 45%; min-width: 6rem; vertical-align: middle; }
svg.bar { display: block; width: 100%; height: 1rem; } svg.bar rect { fill: var(--bar); }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .6rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 34rem) { body { padding: 1.25rem .8rem 2rem; } dl.facts { grid-template-columns: 1fr; }
  dl.facts dd { margin-bottom: .35rem; } th, td { padding: .3rem .4rem; } td.chart { width: 25%; min-width: 4rem; } }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --panel: #fff; --line: #999; --bar: #555;
    --good: #000; --bad: #000; --warn: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; } .scroll { overflow: visible; }
  table { font-size: 8.5pt; } thead { display: table-header-group; } tr, dl.tiles div { break-inside: avoid; }
  dl.tiles { grid-template-columns: repeat(6, 1fr); gap: .4rem; } dl.tiles dd { font-size: 1.1rem; }
  h2 { break-after: avoid; } svg.bar rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`);
