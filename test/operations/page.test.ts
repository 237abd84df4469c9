import { describe, expect, test } from 'vitest';
import { html } from '../../src/operations/report/markup.js';
import type { FindingState, ReportFinding, ReportRun } from '../../src/operations/report/model.js';
import { pageOf } from '../../src/operations/report/page.js';
import { STYLE } from '../../src/operations/report/style.js';
import { TotalsCounter } from '../../src/operations/report/totals.js';
import { COUNTS, LEDGER } from './records.js';

/** The page that an operator sends to finance. */

const RUN: ReportRun = {
  ...{ runId: '11111111-1111-4111-8111-111111111111', kind: 'reconcile', ledger: LEDGER },
  ...{ database: 'shop', dryRun: false, state: 'finished', startedBy: 'ops', host: 'db1' },
  ...{ startedAt: new Date('2026-01-31T03:00:00Z'), finishedAt: new Date('2026-01-31T03:04:10Z') },
  ...{ unattended: true, version: '1.2.3', options: { all: true, limit: undefined }, error: null },
  ...{ exitStatus: 0, counts: COUNTS },
};

const finding = (more: Partial<ReportFinding> = {}): ReportFinding => ({
  ...{ state: 'repaired', userId: 'ada', walletId: '7', profileId: '107', part: 'wallet' },
  ...{ field: 'balance', cached: '1234567', expected: '34567', delta: '-1200000' },
  ...{ cause: 'entry_applied_twice', evidence: null, message: null, at: null },
  ...more,
});

function page(findings: readonly ReportFinding[], run: Partial<ReportRun> = {}): string {
  const counter = new TotalsCounter();
  for (const one of findings) counter.add(one);
  return pageOf({ ...RUN, ...run }, counter.totals).text;
}

/** The words of a page, without its marks and its style. */
const words = (text: string): string =>
  text
    .replace(/<style>[^]*<\/style>/, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'onmouseover='alert(1)",
  '</title></style></main><svg onload=alert(1)>',
  '&lt;b&gt;',
  'a\u0000b\u001b[31m',
];

/** Every tag of a page, with its attributes. */
const tags = (text: string): string[] => text.match(/<[a-z!/][^>]*>/gi) ?? [];

describe('what users hand in', () => {
  test.each(HOSTILE)('%j is text and nothing else, wherever it stands', (evil) => {
    const evidence = {
      writes: {
        change: '5',
        count: '1',
        last: [
          {
            ...{ id: '1', role: evil, applicationName: evil, writtenAt: '2026-01-31T12:00:00.0Z' },
            ...{ oldValue: evil, newValue: evil, transaction: '5' },
          },
        ],
      },
    };
    const states: FindingState[] = ['repaired', 'review', 'critical'];
    const told = (value: string): string =>
      page(
        [
          ...states.map((state) =>
            finding({
              ...{ state, userId: value, walletId: value, cached: value, delta: null },
              ...{ cause: 'direct_write', evidence: value === 'x' ? null : evidence },
            }),
          ),
          finding({ state: 'skipped', part: null, field: null, userId: value, message: value }),
          finding({ walletId: null, profileId: value }),
        ],
        {
          ...{ ledger: value, database: value, startedBy: value, host: value, error: value },
          ...{ version: value, options: { [value]: value } },
        },
      );
    const attacked = told(evil);
    expect(tags(attacked)).toEqual(tags(told('x')));
    expect(attacked).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
    if (evil.startsWith('<script')) expect(attacked).toContain('&lt;script&gt;alert(1)');
  });

  test('what is markup already is not escaped again, and lists are put together', () => {
    expect(html`<p>${['a<', html`<b>${'&'}</b>`]}${null}${5}</p>`.text).toBe(
      '<p>a&lt;<b>&amp;</b>5</p>',
    );
    expect(html`<p title="${`"a'`}"></p>`.text).toBe('<p title="&quot;a&#39;"></p>');
  });
});

describe('what it says', () => {
  test('when, by whom, with what, and how much, with thousands apart', () => {
    const text = words(page([finding(), finding({ part: 'profile', delta: '2500' })]));
    for (const part of [
      'All that had drifted was repaired: 2 caches.',
      '2026-01-31 03:00:00 UTC',
      'after 4 minutes',
      'ops on db1',
      'unattended',
      'Wallets checked 1,000',
      'In sync 997',
      'Wallet balances: 1,200,000 coins were corrected gross, -1,200,000 coins net, in 1 cache.',
      'Balances that users are shown: 2,500 coins were corrected gross, 2,500 coins net',
      '1,234,567 34,567 -1,200,000 entries were applied twice',
      '1,000,000 to 9,999,999',
      'Option all true',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain('Option limit');
  });

  test.each<[string, readonly ReportFinding[], Partial<ReportRun>, RegExp]>([
    ['nothing', [], {}, /class="verdict good">\s*Nothing drifted: 1,000 wallets checked/],
    [
      'a dry run',
      [finding({ state: 'found' })],
      { dryRun: true },
      /warn">\s*1 cache differs .* nothing was changed/,
    ],
    [
      'a rail',
      [],
      { state: 'stopped', exitStatus: 4, error: 'too many' },
      /bad">\s*A safety rail stopped .*: too many\./,
    ],
    [
      'a failure',
      [],
      { state: 'failed', counts: null, error: 'gone' },
      /bad">\s*The run failed: gone\./,
    ],
    [
      'an interruption',
      [finding()],
      { state: 'interrupted' },
      /warn">\s*All that was found so far was repaired: .* interrupted and can be resumed/,
    ],
    [
      'a run under way',
      [],
      { state: 'running', counts: null, finishedAt: null },
      /still under way/,
    ],
    [
      'a limit',
      [],
      { counts: { ...COUNTS, incomplete: 'limit' } },
      /warn">\s*Nothing drifted so far: 1,000 .*\(limit\)/,
    ],
    [
      'review',
      [finding({ state: 'review' })],
      {},
      /warn">\s*0 caches were repaired, and 1 finding is left\. 1 finding waits for approval/,
    ],
    [
      'skipped',
      [finding()],
      { counts: { ...COUNTS, skipped: 2 } },
      /warn">.*\s*All .* 2 wallets skipped/,
    ],
    [
      'critical',
      [finding({ state: 'critical', part: null, field: null, message: 'it sums up to -5' })],
      {},
      /class="verdict bad">/,
    ],
  ])('of %s', (_, findings, run, verdict) => {
    expect(page(findings, run)).toMatch(verdict);
  });

  test('the hundred largest of many, the largest first; what has no size comes last', () => {
    const many = Array.from({ length: 250 }, (_, n) =>
      finding({ walletId: `w${String(n)}`, delta: n === 9 ? null : String((n * 7) % 250) }),
    );
    const text = page(many);
    const shown = [...text.matchAll(/>w(\d+)</g)].map(([, n]) => Number(n));
    const sizes = shown.map((n) => (n * 7) % 250);
    expect(sizes).toEqual(Array.from({ length: 100 }, (_, n) => 249 - n));
    expect(words(text)).toContain('100 of 250; a report as .csv or .json has all');
  });
});

describe('how it is made', () => {
  const text = page([finding(), finding({ state: 'review' })]);

  test('it needs nothing from anywhere, and runs nothing', () => {
    expect(text).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|https?:|\bsrc=|\bon[a-z]+=/);
    expect(text).toContain(`default-src 'none'`);
  });

  test('a reader that sees nothing finds its way', () => {
    expect(text).toMatch(/<html lang="en">/);
    expect(text.match(/<h1>/g)).toHaveLength(1);
    for (const [table] of text.matchAll(/<table>[^]*?<\/table>/g)) {
      expect(table).toContain('<caption>');
      expect(table).toContain('<th scope="col"');
    }
    const charts = [...text.matchAll(/<svg[^>]*>([^]*?)<\/svg>/g)];
    expect(charts.length).toBeGreaterThan(2);
    for (const [chart] of charts) {
      expect(chart).toMatch(/role="img"/);
      expect(chart).toMatch(/<title>\s*[^<]+: [\d,]+ findings?\s*<\/title>/);
    }
  });

  test('every text has enough contrast, light and dark', () => {
    const [light = '', dark = ''] = STYLE.text.match(/:root \{[^}]*\}/g) ?? [];
    for (const scheme of [light, dark]) {
      const colour = (name: string): string =>
        new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(scheme)?.[1] ?? '';
      for (const ink of ['ink', 'soft']) {
        for (const paper of ['paper', 'panel']) {
          expect(contrast(colour(ink), colour(paper))).toBeGreaterThanOrEqual(4.5);
        }
      }
      for (const mark of ['bar', 'good', 'bad', 'warn']) {
        expect(contrast(colour(mark), colour('panel'))).toBeGreaterThanOrEqual(3);
      }
    }
  });
});

/** As WCAG 2 defines it. */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  expect(colour).toMatch(/^#[0-9a-f]{6}$/);
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
