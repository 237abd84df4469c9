import type {
  Finding,
  Mapping,
  ReconcileOptions,
  ReconcileProblem,
  ReconcileSummary,
  Trueup,
} from '../../src/index.js';
import type { TestDatabase } from './database.js';
import { createEconomy, type Economy } from './economy.js';

/** Wallets that may be frozen and overdrawn: n has one entry of n * 100 coins, which its caches know. */
export async function createTiers(db: TestDatabase, wallets: number): Promise<Economy> {
  const economy = await createEconomy(db, wallets);
  await db.run(`
    ALTER TABLE app.wallet ADD allow_overdraft boolean NOT NULL DEFAULT false,
      ADD frozen boolean NOT NULL DEFAULT false, ADD frozen_reason text;
    INSERT INTO app.ledger (wallet_id, amount) SELECT n, n * 100 FROM generate_series(1, ${String(wallets)}) AS n;
    UPDATE app.wallet SET balance = id * 100, earned = id * 100;
    UPDATE app.profile SET shown = user_id * 100, earned = user_id * 100`);
  const mapping: Mapping = {
    ...economy.mapping,
    wallet: {
      ...economy.mapping.wallet,
      allowOverdraft: 'allow_overdraft',
      frozen: 'frozen',
      frozenReason: 'frozen_reason',
    },
  };
  return { ...economy, mapping };
}

/** What a run did and told. */
export interface Outcome {
  readonly summary: ReconcileSummary;
  readonly seen: readonly Finding[];
  readonly problems: readonly ReconcileProblem[];
}

/** Runs reconcile and keeps what it told. */
export async function runOf(trueup: Trueup, options: ReconcileOptions): Promise<Outcome> {
  const seen: Finding[] = [];
  const problems: ReconcileProblem[] = [];
  const summary = await trueup.reconcile({
    ...options,
    onFinding: (finding) => seen.push(finding),
    onProblem: (problem) => problems.push(problem),
  });
  return { summary, seen, problems };
}
