import type { Database } from '../postgres/database.js';
import { OWN_MAPPING, withDatabase, type Bench, type BenchDatabase } from './context.js';
import { numbers } from './measure.js';
import * as load from './post-load.js';
import type { Next, Round } from './post-load.js';
import * as statements from './post-statements.js';
import { figure, median, paired, quantile } from './report.js';

/**
 * Group `post`: what a transfer costs. Callers, Trueup and the baselines' clients share one process,
 * and that process shares the machine's cores with the server: on two cores the work of the clients
 * is a part of every figure, on both sides.
 */

const WALLETS = 10_000;
const CALLERS = 4_000;
const A_BATCH = 1_000;
const HISTORY = 1_000_000;
const BIG = 10_000_000;
const ROUNDS = 5;

/** One side of a scenario; it is told the number of the round. */
type Side = (round: number) => Promise<Round>;

/** What is measured, and against what. */
interface Subject {
  readonly scenario: string;
  readonly ours: Side;
  readonly baseline: Side;
  readonly baselineName: string;
  readonly target: string;
  /** Of a round: default its transfers a second. */
  readonly value?: (round: Round) => number;
}

/** 4,000 callers beside what only writes the same rows, 1,000 transfers a batch. */
export async function spread(bench: Bench): Promise<void> {
  await onWallets(bench, {}, async (lent, wallets) => {
    await createBare(lent.database);
    await load.postOnce(lent.trueup, wallets);
    const book = new load.BareBook(wallets);
    const bare = lent.database.sibling({ maxConnections: 1, pipeline: true });
    const next = load.transfersOf(load.anyTwo(wallets, 1), 1);
    const batches = { transfers: A_BATCH, seconds: bench.options.seconds };
    await compare(bench, {
      scenario: 'spread',
      ours: () => onTrueup(bench, lent, CALLERS, next),
      baseline: () =>
        load.timed(lent.database, 'bare', () =>
          load.writeBatches(bare, () => book.batch(A_BATCH, next), batches),
        ),
      baselineName: 'bare set-based SQL, 1,000 a batch, no checks',
      target: 'a ratio of at least 0.8',
    });
    await bare.close();
  });
}

/** Every transfer takes from one wallet, or gives to it. */
export async function hot(bench: Bench): Promise<void> {
  await onWallets(bench, {}, async (lent, wallets) => {
    const random = numbers(2);
    const onOne = load.transfersOf(() => {
      const other = 2 + random(wallets - 1);
      return random(2) === 0 ? [1, other] : [other, 1];
    }, 2);
    const all = load.transfersOf(load.anyTwo(wallets, 3), 3);
    await compare(bench, {
      scenario: 'hot',
      ours: () => onTrueup(bench, lent, CALLERS, onOne),
      baseline: () => onTrueup(bench, lent, CALLERS, all),
      baselineName: 'Trueup over all wallets',
      target: 'a ratio of at least 1',
    });
  });
}

/** 32 callers at a time. */
export async function callers32(bench: Bench): Promise<void> {
  await besideFunction(bench, 32, {
    scenario: 'callers32',
    baselineName: 'a stored function, 32 connections, a transaction a transfer',
    target: 'a ratio of at least 3',
  });
}

/** One caller at a time: how long he waits. */
export async function single(bench: Bench): Promise<void> {
  await besideFunction(bench, 1, {
    scenario: 'single',
    baselineName: 'a stored function, one connection',
    target: 'a ratio of at most 1.5',
    value: ({ milliseconds }) => median(milliseconds),
  });
}

/** Two wallets with 1,000,000 entries each beside two with one; every round has two new ones. */
export async function history(bench: Bench): Promise<void> {
  const size = { wallets: 2 + 2 * ROUNDS, filled: 2, each: scaled(bench, HISTORY) };
  await onWallets(bench, size, async (lent) => {
    const random = numbers(4);
    const between = (first: number): Next =>
      load.transfersOf(() => (random(2) === 0 ? [first, first + 1] : [first + 1, first]), 4);
    await compare(bench, {
      scenario: 'history',
      // Few callers, so that batches are small: what a batch costs by itself counts the more.
      ours: () => onTrueup(bench, lent, 32, between(1)),
      baseline: (round) => onTrueup(bench, lent, 32, between(1 + 2 * round)),
      baselineName: 'wallets with one entry',
      target: 'a ratio of at least 0.95',
    });
  });
}

/** A ledger of 10,000,000 entries beside one that has but one for each wallet. */
export async function big(bench: Bench): Promise<void> {
  const wallets = wholeWallets(bench);
  const each = Math.max(2, Math.round(scaled(bench, BIG) / wallets));
  await onWallets(bench, {}, (small) =>
    onWallets(bench, { each }, (large) => {
      const next = load.transfersOf(load.anyTwo(wallets, 5), 5);
      return compare(bench, {
        scenario: 'big',
        ours: () => onTrueup(bench, large, CALLERS, next),
        baseline: () => onTrueup(bench, small, CALLERS, next),
        baselineName: 'a ledger with one entry a wallet',
        target: 'a ratio of at least 0.85',
      });
    }),
  );
}

async function besideFunction(
  bench: Bench,
  callers: number,
  subject: Omit<Subject, 'ours' | 'baseline'>,
): Promise<void> {
  await onWallets(bench, {}, async (lent, wallets) => {
    await createBare(lent.database);
    await load.postOnce(lent.trueup, wallets);
    const next = load.transfersOf(load.anyTwo(wallets, callers), callers);
    const options = { callers, seconds: bench.options.seconds };
    await compare(bench, {
      ...subject,
      ours: () => onTrueup(bench, lent, callers, next),
      baseline: async () => {
        // New connections in each round: none keeps a plan that was made for smaller tables.
        const { database } = await lent.pool(callers);
        const round = await load.timed(lent.database, 'bare', () =>
          load.callFunction(database, next, options),
        );
        await database.close();
        return round;
      },
    });
  });
}

function onTrueup(
  bench: Bench,
  { database, trueup }: BenchDatabase,
  callers: number,
  next: Next,
): Promise<Round> {
  const options = { callers, seconds: bench.options.seconds };
  return load.timed(database, 'trueup', () => load.callTrueup(trueup, next, options));
}

async function createBare(database: Database): Promise<void> {
  for (const text of statements.createBare) await database.query({ text });
  await database.query({ text: statements.createTransfer });
}

/** Lends a database of Trueup's own tables, by default with all wallets and one entry in each. */
async function onWallets(
  bench: Bench,
  size: { readonly wallets?: number; readonly filled?: number; readonly each?: number },
  work: (lent: BenchDatabase, wallets: number) => Promise<void>,
): Promise<void> {
  const { wallets = wholeWallets(bench), each = 1 } = size;
  const { filled = wallets } = size;
  await withDatabase(bench, OWN_MAPPING, async (lent) => {
    const entries = wallets + filled * (each - 1);
    bench.say(
      `  filling ${wallets.toLocaleString('en-US')} wallets, ${entries.toLocaleString('en-US')} entries ...`,
    );
    for (const statement of statements.fillPosting(wallets, filled, each)) {
      await lent.database.query(statement);
    }
    await work(lent, wallets);
  });
}

/** The sides take turns at going first: neither always has the other's dirty pages to flush. */
async function compare(bench: Bench, subject: Subject): Promise<void> {
  const ours: Round[] = [];
  const baseline: Round[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    if (round % 2 === 1) baseline.push(await subject.baseline(round));
    ours.push(await subject.ours(round));
    if (round % 2 === 0) baseline.push(await subject.baseline(round));
    bench.say(
      `  round ${String(round)} baseline ${show(baseline.at(-1))}, Trueup ${show(ours.at(-1))}`,
    );
  }
  const value = subject.value ?? (({ perSecond }: Round) => perSecond);
  const calls = ours.flatMap(({ milliseconds }) => milliseconds);
  const postings = ours.reduce((sum, round) => sum + round.postings, 0);
  const bytes = ours.reduce((sum, round) => sum + round.bytesPerPosting * round.postings, 0);
  bench.report(
    figure({
      group: 'post',
      scenario: subject.scenario,
      unit: subject.value === undefined ? 'transfers/s' : 'ms',
      ...paired(ours.map(value), subject.baselineName, baseline.map(value)),
      p50Ms: median(calls),
      p99Ms: quantile(calls, 0.99),
      bytesPerPosting: bytes / postings,
      bytesPerEntry: bytes / postings / 2,
      target: subject.target,
    }),
  );
}

function show(round: Round | undefined): string {
  if (round === undefined) return '';
  const { perSecond, milliseconds, bytesPerPosting } = round;
  return `${perSecond.toFixed(0)}/s (p50 ${median(milliseconds).toPrecision(3)} ms, ${bytesPerPosting.toFixed(0)} bytes)`;
}

/** An even number, as the fill needs it. */
function wholeWallets(bench: Bench): number {
  return Math.round(scaled(bench, WALLETS) / 2) * 2;
}

function scaled(bench: Bench, count: number): number {
  return Math.max(100, Math.round(count * bench.options.scale));
}
