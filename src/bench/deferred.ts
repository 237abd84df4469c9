import { Carrier } from '../sync/carrier.js';
import type { Bench, BenchDatabase } from './context.js';
import { clients, numbers, paced } from './measure.js';
import { figure, median, paired, quantile, type Figure } from './report.js';
import * as statements from './statements.js';
import { CLIENTS, onApplication } from './sync.js';

/** Scenario `deferred` of group `sync`: the profile is marked in the commit and carried after it. */

const ROUNDS = 7;

/** Entries a second at which it is measured how far profiles are behind. */
const STEADY_RATE = 2_000;

const VARIANTS = ['hand', 'normal', 'deferred'] as const;
type Variant = (typeof VARIANTS)[number];

/** One-row inserts by 32 clients while a carrier works, and how far behind it is at a steady rate. */
export async function deferred(bench: Bench): Promise<void> {
  await onApplication(bench, async (lent, wallets) => {
    await rate(bench, lent, wallets);
    await lag(bench, lent, wallets);
  });
}

async function rate(bench: Bench, lent: BenchDatabase, wallets: number): Promise<void> {
  const random = numbers(3);
  const rates: Record<Variant, number[]> = { hand: [], normal: [], deferred: [] };
  const calls: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const variant of VARIANTS) {
      await prepare(lent, variant);
      const { database } = await lent.pool(CLIENTS);
      const statement = variant === 'hand' ? statements.insertByHand : statements.insertPlain;
      const done = await carrying(bench, lent, variant, () =>
        clients(database, { clients: CLIENTS, seconds: bench.options.seconds }, (session) =>
          session.query({ ...statement, values: [1 + random(wallets), 1 + random(100)] }),
        ),
      );
      await database.close();
      rates[variant].push(done.perSecond);
      if (variant === 'deferred') calls.push(...done.milliseconds);
      bench.say(`  round ${String(round)} ${variant}: ${done.perSecond.toFixed(0)} statements/s`);
    }
  }
  const facts: Pick<Figure, 'group' | 'unit' | 'p50Ms' | 'p99Ms'> = {
    group: 'sync',
    unit: 'entries/s',
    p50Ms: median(calls),
    p99Ms: quantile(calls, 0.99),
  };
  bench.report(
    figure({
      ...facts,
      scenario: 'deferred',
      ...paired(rates.deferred, 'the normal trigger', rates.normal),
      target: 'a ratio of at least 1',
    }),
  );
  bench.report(
    figure({
      ...facts,
      scenario: 'deferred-hand',
      ...paired(rates.deferred, 'one statement by hand', rates.hand),
    }),
  );
}

async function lag(bench: Bench, lent: BenchDatabase, wallets: number): Promise<void> {
  const random = numbers(4);
  await prepare(lent, 'deferred');
  for (const text of statements.timeMarks) await lent.database.query({ text });
  const { database } = await lent.pool(CLIENTS);
  const perSecond = await carrying(bench, lent, 'deferred', () =>
    paced(
      database,
      { clients: CLIENTS, seconds: bench.options.seconds, perSecond: STEADY_RATE },
      (session) =>
        session.query({
          ...statements.insertPlain,
          values: [1 + random(wallets), 1 + random(100)],
        }),
    ),
  );
  await database.close();
  const [waits] = await lent.database.query<statements.WaitsRow>(statements.waitsOfMarks);
  bench.say(
    `  ${perSecond.toFixed(0)} entries/s; ${waits?.marks ?? '0'} marks waited ${(waits?.p50 ?? 0).toFixed(0)} ms ` +
      `(p50), ${(waits?.p99 ?? 0).toFixed(0)} ms (p99), ${(waits?.max ?? 0).toFixed(0)} ms at most`,
  );
  bench.report(
    figure({
      group: 'sync',
      scenario: 'deferred-lag',
      unit: 'ms',
      value: waits?.max ?? Number.NaN,
      p50Ms: waits?.p50 ?? null,
      p99Ms: waits?.p99 ?? null,
      target: `at most 1,000 ms behind, at ${STEADY_RATE.toLocaleString('en-US')} entries/s`,
    }),
  );
}

async function prepare(lent: BenchDatabase, variant: Variant): Promise<void> {
  if (variant === 'hand') await lent.trueup.removeSync();
  else await lent.trueup.installSync({ deferred: variant === 'deferred' });
  for (const text of statements.resetApplication) await lent.database.query({ text });
}

/** Works while a carrier runs beside it, as one does in production, and lets it finish. */
async function carrying<Result>(
  bench: Bench,
  lent: BenchDatabase,
  variant: Variant,
  work: () => Promise<Result>,
): Promise<Result> {
  if (variant !== 'deferred') return work();
  const { database } = await lent.pool(2);
  const carrier = new Carrier(database, lent.trueup.mapping, {
    onError: (error) => {
      bench.say(`  the carrier met an error: ${String(error)}`);
    },
  });
  try {
    return await work();
  } finally {
    await lent.trueup.carry();
    await carrier.stop();
    await database.close();
  }
}
