import { expect, test } from 'vitest';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { COUNTS, insertFinding, insertRun } from './records.js';

/** Metrics, read by a parser of the text format that is written from its description. */

const db = await createDatabase('empty');
// A name with everything that a label value has to escape.
const SCHEMA = 'a"b\\c\nd';
const economy = await createEconomy(db, 0, { schema: '"a""b\\c\nd"' });
const mapping = {
  ...economy.mapping,
  ledger: { ...economy.mapping.ledger, table: '"a""b\\c\nd".ledger' },
  wallet: { ...economy.mapping.wallet, table: '"a""b\\c\nd".wallet' },
  profile: undefined,
};
const trueup = await db.trueup({ config: mapping });
const ledger = trueup.mapping.ledger.table.quoted;

interface Metric {
  readonly type: string | undefined;
  readonly help: string | undefined;
  readonly samples: readonly { readonly labels: Record<string, string>; readonly value: number }[];
}

/** Fails on anything that the format does not allow. */
function parse(text: string): Map<string, Metric> {
  expect(text.endsWith('\n')).toBe(true);
  const metrics = new Map<string, Metric & { samples: Metric['samples'][number][] }>();
  const of = (name: string) => {
    const known = metrics.get(name) ?? { type: undefined, help: undefined, samples: [] };
    metrics.set(name, known);
    return known;
  };
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind = '', name = '', rest] = comment;
      metrics.set(name, { ...of(name), [kind.toLowerCase()]: rest });
      continue;
    }
    const sample = /^([a-z_]+)\{(.*)\} (-?[0-9.e+]+)$/.exec(line);
    expect(sample, line).not.toBeNull();
    const [, name = '', labels = '', value] = sample ?? [];
    of(name).samples.push({ labels: labelsOf(labels), value: Number(value) });
  }
  return metrics;
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const match = /^([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest);
    expect(match, rest).not.toBeNull();
    const [whole = rest, name = '', value = ''] = match ?? [];
    labels[name] = value.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
    rest = rest.slice(whole.length);
  }
  return labels;
}

const names = (metrics: ReadonlyMap<string, Metric>): string[] => [...metrics.keys()].sort();

test('each has HELP and TYPE, and the ledger as a label, escaped', async () => {
  expect(ledger).toContain(SCHEMA.replace('"', '""'));
  const metrics = parse(await trueup.metrics());
  expect(names(metrics).every((name) => name.startsWith('trueup_'))).toBe(true);
  for (const [name, { type, help, samples }] of metrics) {
    expect([name, type]).toEqual([name, 'gauge']);
    expect(help).toMatch(/^[A-Z]/);
    for (const { labels } of samples) expect(labels['ledger']).toBe(ledger);
  }
});

test('what they say is what is on record', async () => {
  const runId = await insertRun(db, {
    ledger,
    exitStatus: 2,
    counts: { ...COUNTS, checked: 5_000, repaired: 3 },
    finishedAge: 600,
    startedAge: 700,
  });
  await insertFinding(db, { runId, ledger, delta: '-70' });
  await insertFinding(db, { runId, ledger, delta: '50' });
  await insertFinding(db, { runId, ledger, state: 'review', cause: 'direct_write', delta: '900' });
  await db.run(
    `INSERT INTO trueup.verified_ranges (ledger, wallets, coins, verified_at, run_id)
     VALUES ($1, 5000, 123456, now() - interval '1 hour', $2)`,
    [ledger, runId],
  );
  const metrics = parse(await trueup.metrics());
  const value = (name: string): number | undefined => metrics.get(name)?.samples[0]?.value;
  expect({
    status: value('trueup_status'),
    checked: value('trueup_last_run_wallets_checked'),
    repaired: value('trueup_last_run_findings_repaired'),
    skipped: value('trueup_last_run_wallets_skipped'),
    wallets: value('trueup_wallets_verified_ratio'),
    coins: value('trueup_coins_verified_ratio'),
    open: value('trueup_open_findings'),
    review: value('trueup_review_findings_waiting'),
    reviewCoins: value('trueup_review_coins_waiting'),
    failures: value('trueup_sync_failures_waiting'),
    marks: value('trueup_profile_marks_waiting'),
    underWay: value('trueup_run_under_way'),
  }).toEqual({
    ...{ status: 2, checked: 5_000, repaired: 3, skipped: 0, wallets: 1, coins: 1, open: 3 },
    ...{ review: 1, reviewCoins: 900, failures: 0, marks: 0, underWay: 0 },
  });
  expect(metrics.get('trueup_drift_coins')?.samples).toEqual([
    {
      labels: { ledger, part: 'wallet', field: 'balance', cause: 'no_history', state: 'reported' },
      value: 120,
    },
    {
      labels: { ledger, part: 'wallet', field: 'balance', cause: 'direct_write', state: 'review' },
      value: 900,
    },
  ]);
  const now = await db.value<number>('SELECT extract(epoch FROM now())::float8');
  const success = value('trueup_last_success_timestamp_seconds') ?? 0;
  expect(now - success).toBeGreaterThanOrEqual(600);
  expect(now - success).toBeLessThan(900);
  expect(value('trueup_last_run_duration_seconds')).toBeCloseTo(100, 0);
  const age = value('trueup_oldest_unverified_age_seconds') ?? 0;
  expect(Math.round(age / 600)).toBe(6);
});

test('a second call tells nothing of what went away, and may run beside another', async () => {
  await db.run('UPDATE trueup.findings SET settled_at = now()');
  const texts = await Promise.all([trueup.metrics(), trueup.metrics()]);
  for (const text of texts) expect(parse(text).get('trueup_drift_coins')?.samples).toEqual([]);
});
