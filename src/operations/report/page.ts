import { causeWords, FIELD_NAMES } from '../../core/phrases.js';
import type { Cause } from '../../core/evidence.js';
import type { Field } from '../../core/comparison.js';
import type { WholeFile } from '../file.js';
import { ageWords, coinsWords, count, grouped, instantWords } from '../words.js';
import { groupsChart, sizesChart } from './charts.js';
import { findingsList, walletsList } from './lists.js';
import { html, type Markup } from './markup.js';
import type { ReportFinding, ReportRun, ReportWriter } from './model.js';
import { STYLE } from './style.js';
import { TotalsCounter, type Group, type Totals } from './totals.js';
import { verdictOf } from './verdict.js';

/**
 * The report as one page that needs nothing else: no script, no picture, no font from anywhere. It is
 * made at the end, from what was added up meanwhile.
 */
export class HtmlReport implements ReportWriter {
  readonly #file: WholeFile;
  readonly #counter = new TotalsCounter();

  constructor(file: WholeFile) {
    this.#file = file;
  }

  begin(): void {
    // The page begins with the verdict, which is known at the end.
  }

  add(finding: ReportFinding): void {
    this.#counter.add(finding);
  }

  end(run: ReportRun): void {
    this.#file.write(pageOf(run, this.#counter.totals).text);
  }
}

/** The whole page. */
export function pageOf(run: ReportRun, totals: Totals): Markup {
  const { level, words } = verdictOf(run, totals);
  const title = `${KINDS[run.kind] ?? 'Reconciliation'} of ${run.ledger}, ${instantWords(run.startedAt)}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'"
        />
        <title>${title}</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <header>
          <h1>${KINDS[run.kind] ?? 'Reconciliation'} report</h1>
          <p class="soft">${run.ledger} in database ${run.database}, ${time(run.startedAt)}</p>
        </header>
        <main>
          <p class="verdict ${level}">${words}</p>
          ${tiles(run, totals)}
          <p class="soft">
            The ledger decides what every cached balance has to be. A cache that differed from it is
            a finding. The ledger itself was not changed: no coins were created or taken away.
          </p>
          ${coins(run, totals)} ${charts(totals)} ${lists(totals)} ${facts(run)}
        </main>
        <footer>
          Written by Trueup ${run.version}. Run ${run.runId}. Times are UTC, amounts are coins.
          Gross adds all differences as positive, net lets too much and too little make up for each
          other.
        </footer>
      </body>
    </html> `;
}

const KINDS: Readonly<Record<string, string>> = {
  reconcile: 'Reconciliation',
  apply: 'Repair by plan',
  approve: 'Approved repair',
  undo: 'Undone repair',
};

function tiles({ counts, dryRun }: ReportRun, totals: Totals): Markup {
  const repaired = totals.states.get('repaired') ?? 0;
  const toRepair = totals.states.get('found') ?? 0;
  const known = (value: number | undefined): string =>
    value === undefined ? 'unknown' : grouped(String(value));
  const inSync = counts === null ? undefined : Math.max(counts.checked - counts.drifted, 0);
  return html`<dl class="tiles">
    <div>
      <dt>Wallets checked</dt>
      <dd>${known(counts?.checked)}</dd>
    </div>
    <div>
      <dt>In sync</dt>
      <dd>${known(inSync)}</dd>
    </div>
    <div>
      <dt>Users drifted</dt>
      <dd>${known(counts?.drifted)}</dd>
    </div>
    <div>
      <dt>${dryRun ? 'Caches to repair' : 'Caches repaired'}</dt>
      <dd>${known(dryRun ? toRepair : repaired)}</dd>
    </div>
    <div>
      <dt>${dryRun ? 'Left for people' : 'Findings left'}</dt>
      <dd>${known(totals.findings - (dryRun ? toRepair : repaired))}</dd>
    </div>
    <div>
      <dt>Wallets skipped</dt>
      <dd>${known(counts?.skipped ?? totals.states.get('skipped') ?? 0)}</dd>
    </div>
  </dl>`;
}

function coins(run: ReportRun, { corrected, findings }: Totals): Markup {
  if (corrected.length === 0) return html``;
  const shown = corrected.find(({ name }) => name === 'profile.balance');
  const held = corrected.find(({ name }) => name === 'wallet.balance');
  const verb = run.dryRun ? 'would be corrected' : 'were corrected';
  const sentence = (group: Group | undefined, what: string): Markup =>
    group === undefined
      ? html``
      : html`<p>
          ${what}: ${coinsWords(group.gross)} ${verb} gross, ${coinsWords(group.net)} net, in
          ${count(group.findings, 'cache')}.
        </p>`;
  return html`<h2>Coins ${run.dryRun ? 'to be corrected' : 'corrected'}</h2>
    ${sentence(held, 'Wallet balances')} ${sentence(shown, 'Balances that users are shown')}
    ${
      // Where all was repaired this is what stands below, of all findings.
      corrected.reduce((sum, group) => sum + group.findings, 0) === findings
        ? null
        : groupsChart(corrected, { caption: 'By cache', head: 'Cache', name: cacheName })
    }`;
}

function charts(totals: Totals): Markup {
  if (totals.findings === 0) return html``;
  return html`<h2>Drift by cause</h2>
    ${groupsChart(totals.causes, { caption: 'Why caches differed', head: 'Cause', name: (cause) => causeWords(cause as Cause) })}
    <h2>Drift by cache</h2>
    ${groupsChart(totals.parts, { caption: 'Which caches differed; one user can count in several lines', head: 'Cache', name: cacheName })}
    <h2>Size of the differences</h2>
    ${sizesChart(totals.sizes, totals.unsized)}`;
}

function cacheName(name: string): string {
  const [part = '', field = ''] = name.split('.');
  return `${part} ${FIELD_NAMES[field as Field]}`;
}

function lists({ largest, review, left, skipped, critical, suspects }: Totals): Markup {
  return html`${
    critical.count === 0
      ? null
      : html`<h2>Critical wallets</h2>
          ${walletsList(critical, 'Their entries sum up to less than they may')}`
  }${
    suspects.count === 0
      ? null
      : html`<h2>What had drifted</h2>
          ${walletsList(suspects, 'As the survey of the run saw it; nothing was changed')}`
  }${
    review.count === 0
      ? null
      : html`<h2>Waiting for approval</h2>
          ${findingsList(review, 'Larger than a run may repair by itself')}`
  }${
    left.count === 0
      ? null
      : html`<h2>Left as they are</h2>
          ${findingsList(left, 'What no run repairs by itself')}`
  }${
    skipped.count === 0
      ? null
      : html`<h2>Skipped wallets</h2>
          ${walletsList(skipped, 'Not repaired in this run')}`
  }${
    largest.count === 0
      ? null
      : html`<h2>Largest differences</h2>
          ${findingsList(largest, 'The largest first')}`
  }`;
}

function facts(run: ReportRun): Markup {
  const seconds =
    run.finishedAt === null ? null : (run.finishedAt.getTime() - run.startedAt.getTime()) / 1000;
  const options = Object.entries(run.options).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  const rows: readonly (readonly [string, string | Markup])[] = [
    ['Started', time(run.startedAt)],
    [
      'Ended',
      run.finishedAt === null
        ? 'not on record'
        : html`${time(run.finishedAt)}, after ${ageWords(seconds ?? 0)}`,
    ],
    ['By', `${run.startedBy}${run.host === null ? '' : ` on ${run.host}`}`],
    ['Manner', run.unattended ? 'unattended, by a schedule' : 'attended'],
    ['Kind', run.dryRun ? `${run.kind}, dry run` : run.kind],
    ['Exit status', run.exitStatus === null ? 'not on record' : String(run.exitStatus)],
    ...options.map(
      ([name, value]) =>
        [`Option ${name}`, typeof value === 'string' ? value : JSON.stringify(value)] as const,
    ),
  ];
  return html`<h2>The run</h2>
    <dl class="facts">
      ${rows.map(
        ([name, value]) =>
          html` <dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>`;
}

function time(at: Date): Markup {
  return html`<time datetime="${at.toISOString()}">${instantWords(at)}</time>`;
}
