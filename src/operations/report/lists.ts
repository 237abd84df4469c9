import { causePhrase, causeWords, FIELD_NAMES } from '../../core/phrases.js';
import { grouped } from '../words.js';
import { html, type Markup } from './markup.js';
import type { FindingState, ReportFinding } from './model.js';
import type { Excerpt } from './totals.js';

/** Lists of single findings, of which the page shows some. */

const STATES: Readonly<Record<FindingState, string>> = {
  repaired: 'repaired',
  found: 'to be repaired',
  reported: 'cannot be repaired',
  review: 'waits for approval',
  critical: 'critical: below zero',
  skipped: 'skipped, was locked',
  failed: 'repair refused',
  undone: 'taken back',
};

/** `profile lifetime earnings`. */
export function cacheWords({ part, field }: Pick<ReportFinding, 'part' | 'field'>): string {
  return part === null || field === null ? '' : `${part} ${FIELD_NAMES[field]}`;
}

/** Drifted caches: before, after, difference, why. */
export function findingsList(excerpt: Excerpt, caption: string): Markup {
  return html`<div class="scroll">
    <table>
      <caption>
        ${caption}${more(excerpt)}
      </caption>
      <thead>
        <tr>
          <th scope="col">User</th>
          <th scope="col">Wallet</th>
          <th scope="col">Cache</th>
          <th scope="col" class="n">Before</th>
          <th scope="col" class="n">By the ledger</th>
          <th scope="col" class="n">Difference</th>
          <th scope="col">Cause</th>
          <th scope="col">State</th>
        </tr>
      </thead>
      <tbody>
        ${excerpt.shown.map(
          (finding) =>
            html` <tr>
              <td class="id">${finding.userId ?? '–'}</td>
              <td class="id">${finding.walletId ?? `none; profile ${finding.profileId ?? '–'}`}</td>
              <td>${cacheWords(finding)}</td>
              <td class="n">${amount(finding.cached)}</td>
              <td class="n">${amount(finding.expected)}</td>
              <td class="n">${signed(finding.delta)}</td>
              <td class="wide">${why(finding)}</td>
              <td>${STATES[finding.state]}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Wallets that were left without a look at their caches, with a difference where one is on record. */
export function walletsList(excerpt: Excerpt, caption: string): Markup {
  const sized = excerpt.shown.some(({ delta }) => delta !== null);
  return html`<div class="scroll">
    <table>
      <caption>
        ${caption}${more(excerpt)}
      </caption>
      <thead>
        <tr>
          <th scope="col">User</th>
          <th scope="col">Wallet</th>
          <th scope="col">State</th>
          ${sized ? html`<th scope="col" class="n">Difference</th>` : null}
          <th scope="col">Reason</th>
        </tr>
      </thead>
      <tbody>
        ${excerpt.shown.map(
          ({ userId, walletId, state, delta, message }) =>
            html` <tr>
              <td class="id">${userId ?? '–'}</td>
              <td class="id">${walletId ?? '–'}</td>
              <td>${STATES[state]}</td>
              ${sized ? html`<td class="n">${size(delta)}</td>` : null}
              <td class="wide">${message}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function more({ shown, count: all }: Excerpt): string {
  if (all <= shown.length) return '';
  return `: ${String(shown.length)} of ${grouped(String(all))}; a report as .csv or .json has all`;
}

function amount(text: string | null): string {
  return text === null ? 'no value' : grouped(text);
}

function signed(delta: string | null): string {
  if (delta === null) return '–';
  return delta.startsWith('-') || delta === '0' ? grouped(delta) : `+${grouped(delta)}`;
}

/** Without a sign: that of a whole wallet says nothing about its caches. */
function size(delta: string | null): string {
  return delta === null ? '–' : grouped(delta.replace('-', ''));
}

function why({ cause, evidence }: ReportFinding): string {
  if (cause === null) return '';
  return evidence === null ? causeWords(cause) : causePhrase({ cause, evidence });
}
