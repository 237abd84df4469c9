import type { Mapping } from '../index.js';
import type { Database } from '../postgres/database.js';
import { clients, numbers, type Throughput } from './measure.js';
import { withDatabase, type Bench, type BenchDatabase } from './context.js';
import { figure, median, paired, quantile } from './report.js';
import * as statements from './statements.js';

/** Group `sync`: what the triggers cost the writers of an application. */

const MAPPING: Mapping = {
  ledger: {
    table: 'bench.ledger',
    id: 'id',
    wallet: 'wallet_id',
    amount: 'amount',
    reason: 'reason',
  },
  wallet: {
    table: 'bench.wallet',
    id: 'id',
    profile: 'profile_id',
    balance: 'balance',
    lifetimeEarnings: 'earnings',
    updatedAt: 'updated_at',
  },
  profile: {
    table: 'bench.profile',
    id: 'id',
    user: 'user_id',
    balance: 'balance',
    lifetimeEarnings: 'earnings',
    updatedAt: 'updated_at',
  },
};

const WALLETS = 10_000;
export const CLIENTS = 32;
const ENTRIES_A_STATEMENT = 1_000;
const ROUNDS = 7;

/** `trigger` is what users run: with the guard that adopted tables have unless they are told otherwise. */
type Variant = 'none' | 'hand' | 'unguarded' | 'trigger';

/** One-row inserts by 32 clients: no caches, caches by hand, caches by the triggers with their guard. */
export async function row(bench: Bench): Promise<void> {
  await onApplication(bench, async (lent, wallets) => {
    const random = numbers(1);
    const rounds = await alternate(bench, lent, (database, variant) => {
      const statement = variant === 'hand' ? statements.insertByHand : statements.insertPlain;
      return clients(database, { clients: CLIENTS, seconds: bench.options.seconds }, (session) =>
        session.query({ ...statement, values: [1 + random(wallets), 1 + random(100)] }),
      );
    });
    report(bench, 'row', rounds, 1);
  });
}

/** What the guard costs those inserts: the same with the triggers, with and without it. */
export async function guard(bench: Bench): Promise<void> {
  await onApplication(bench, async (lent, wallets) => {
    const random = numbers(3);
    const { trigger, unguarded } = await alternate(
      bench,
      lent,
      (database) =>
        clients(database, { clients: CLIENTS, seconds: bench.options.seconds }, (session) =>
          session.query({
            ...statements.insertPlain,
            values: [1 + random(wallets), 1 + random(100)],
          }),
        ),
      ['unguarded', 'trigger'],
    );
    const calls = trigger.flatMap(({ milliseconds }) => milliseconds);
    const rates = (rounds: readonly Throughput[]): number[] =>
      rounds.map(({ perSecond }) => perSecond);
    bench.report(
      figure({
        group: 'sync',
        scenario: 'guard',
        unit: 'entries/s',
        p50Ms: median(calls),
        p99Ms: quantile(calls, 0.99),
        ...paired(rates(trigger), 'triggers without a guard', rates(unguarded)),
        target: 'a ratio of at least 0.9',
      }),
    );
  });
}

/** 1,000 entries a statement by one client. */
export async function bulk(bench: Bench): Promise<void> {
  await onApplication(bench, async (lent, wallets) => {
    const random = numbers(2);
    const rounds = await alternate(bench, lent, (database, variant) => {
      const statement =
        variant === 'hand' ? statements.insertManyByHand : statements.insertManyPlain;
      return clients(database, { clients: 1, seconds: bench.options.seconds }, (session) => {
        const ids = Array.from({ length: ENTRIES_A_STATEMENT }, () => 1 + random(wallets));
        return session.query({ ...statement, values: [ids, ids.map(() => 1 + random(100))] });
      });
    });
    report(bench, 'bulk', rounds, ENTRIES_A_STATEMENT);
  });
}

/** A database with an application's tables, which Trueup has adopted. */
export async function onApplication(
  bench: Bench,
  work: (lent: BenchDatabase, wallets: number) => Promise<void>,
): Promise<void> {
  const wallets = Math.max(100, Math.round(WALLETS * bench.options.scale));
  await withDatabase(
    bench,
    MAPPING,
    (lent) => work(lent, wallets),
    async (database) => {
      for (const text of statements.createApplication) await database.query({ text });
      for (const statement of statements.fillApplication(wallets)) await database.query(statement);
    },
  );
}

/** Runs the variants in turn, so that whatever slows the machine down slows all of them down. */
async function alternate(
  bench: Bench,
  lent: BenchDatabase,
  work: (database: Database, variant: Variant) => Promise<Throughput>,
  variants: readonly Variant[] = ['none', 'hand', 'trigger'],
): Promise<Record<Variant, Throughput[]>> {
  const rounds: Record<Variant, Throughput[]> = { none: [], hand: [], unguarded: [], trigger: [] };
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const variant of variants) {
      if (variant === 'trigger') await lent.trueup.installSync();
      else if (variant === 'unguarded') await lent.trueup.installSync({ guard: 'off' });
      else await lent.trueup.removeSync();
      for (const text of statements.resetApplication) await lent.database.query({ text });
      // New connections: plans that were made for another variant do not count.
      const { database } = await lent.pool(CLIENTS);
      const done = await work(database, variant);
      await database.close();
      rounds[variant].push(done);
      bench.say(`  round ${String(round)} ${variant}: ${done.perSecond.toFixed(0)} statements/s`);
    }
  }
  return rounds;
}

function report(
  bench: Bench,
  scenario: string,
  rounds: Record<Variant, Throughput[]>,
  entries: number,
): void {
  const rates = (variant: Variant): number[] =>
    rounds[variant].map(({ perSecond }) => perSecond * entries);
  const calls = rounds.trigger.flatMap(({ milliseconds }) => milliseconds);
  const facts = {
    group: 'sync',
    unit: 'entries/s',
    p50Ms: median(calls),
    p99Ms: quantile(calls, 0.99),
  };
  bench.report(
    figure({
      ...facts,
      scenario,
      ...paired(rates('trigger'), 'one statement by hand', rates('hand')),
      target: 'a ratio of at least 0.8',
    }),
  );
  bench.report(
    figure({
      ...facts,
      scenario: `${scenario}-uncached`,
      ...paired(rates('trigger'), 'no caches at all', rates('none')),
    }),
  );
}
