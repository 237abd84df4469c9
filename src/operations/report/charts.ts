import { count, grouped } from '../words.js';
import { html, type Markup } from './markup.js';
import type { Group, SizeClass } from './totals.js';

/** Charts that are tables: each row has a bar, and the number that it stands for. */

/** A bar of a part (0 to 1) of the widest one. Something that is there is never invisible. */
function bar(part: number, title: string): Markup {
  const width = part === 0 ? 0 : Math.max(part * 100, 0.5);
  return html`<svg class="bar" role="img" viewBox="0 0 100 10" preserveAspectRatio="none">
    <title>${title}</title>
    <rect x="0" y="1" width="${width.toFixed(2)}" height="8" />
  </svg>`;
}

/** Findings by kind, with their coins. */
export function groupsChart(
  groups: readonly Group[],
  { caption, head, name }: { caption: string; head: string; name: (group: string) => string },
): Markup {
  const most = Math.max(1, ...groups.map(({ findings }) => findings));
  return html`<div class="scroll">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          <th scope="col">${head}</th>
          <th scope="col">Share</th>
          <th scope="col" class="n">Findings</th>
          <th scope="col" class="n">Coins, gross</th>
          <th scope="col" class="n">Coins, net</th>
        </tr>
      </thead>
      <tbody>
        ${groups.map(
          (group) =>
            html` <tr>
              <th scope="row">${name(group.name)}</th>
              <td class="chart">
                ${bar(group.findings / most, `${name(group.name)}: ${count(group.findings, 'finding')}`)}
              </td>
              <td class="n">${grouped(String(group.findings))}</td>
              <td class="n">${grouped(group.gross)}</td>
              <td class="n">${grouped(group.net)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** How many differences are how large. */
export function sizesChart(sizes: readonly SizeClass[], unsized: number): Markup {
  const rows = [
    ...sizes.map(({ from, findings }) => ({ label: sizeWords(from), findings })),
    ...(unsized === 0 ? [] : [{ label: 'no number', findings: unsized }]),
  ];
  const most = Math.max(1, ...rows.map(({ findings }) => findings));
  return html`<div class="scroll">
    <table>
      <caption>
        How large the differences are, in coins, either way
      </caption>
      <thead>
        <tr>
          <th scope="col" class="n">Difference</th>
          <th scope="col">Share</th>
          <th scope="col" class="n">Findings</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ label, findings }) =>
            html` <tr>
              <th scope="row" class="n">${label}</th>
              <td class="chart">
                ${bar(findings / most, `${label}: ${count(findings, 'finding')}`)}
              </td>
              <td class="n">${grouped(String(findings))}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** `10 to 99`. */
function sizeWords(from: bigint): string {
  if (from === 0n) return 'less than 1';
  return `${grouped(String(from))} to ${grouped(String(from * 10n - 1n))}`;
}
