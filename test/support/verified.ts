import { expect } from 'vitest';
import type { ReconcileOptions, ReconcileSummary, Trueup } from '../../src/index.js';
import type { TestDatabase } from './database.js';
import { createEconomy, type Economy } from './economy.js';

/** An economy that was verified as a whole, and checks of what was touched since. */
export interface Verified {
  readonly economy: Economy;
  readonly trueup: Trueup;
}

/** A hundred wallets, 1 to 100, with profiles 1001 to 1100 and two entries each, in sync and verified. */
export async function verifiedEconomy(db: TestDatabase): Promise<Verified> {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  const economy = await createEconomy(db, 0, { foreignKeys: false });
  await db.run(`
    INSERT INTO app.profile (id, user_id, shown, earned) SELECT 1000 + n, n, 0, 0 FROM generate_series(1, 100) AS n;
    INSERT INTO app.wallet (id, profile_id, balance, earned) SELECT n, 1000 + n, 0, 0 FROM generate_series(1, 100) AS n;`);
  const trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync();
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) SELECT n, a FROM generate_series(1, 100) AS n, unnest(ARRAY[n, 1000]) AS a',
  );
  const { exitStatus } = await trueup.reconcile({ all: true });
  expect(exitStatus).toBe(0);
  return { economy, trueup };
}

export interface Outcome {
  readonly summary: ReconcileSummary;
  /** Wallets with findings, or profiles without wallet. */
  readonly found: readonly (string | null)[];
  readonly warnings: readonly string[];
}

/** A check since the verified point, with a rolling slice of one wallet. */
export async function checkSince(trueup: Trueup, options: ReconcileOptions = {}): Promise<Outcome> {
  const found = new Set<string | null>();
  const warnings: string[] = [];
  const chosen = options.all === true || options.userIds !== undefined;
  const summary = await trueup.reconcile({
    ...(chosen || options.resume !== undefined ? {} : { sinceCheckpoint: true }),
    batchSize: 1,
    ...options,
    onFinding: ({ walletId, profileId }) => found.add(walletId ?? profileId),
    onWarning: ({ code }) => warnings.push(code),
  });
  return { summary, found: [...found], warnings };
}

/** Writes as a session does that skips triggers: a restore, a replica, a careless administrator. */
export async function bypassing(db: TestDatabase, sql: string): Promise<void> {
  await db.run(`BEGIN; SET LOCAL session_replication_role = replica; ${sql}; COMMIT`);
}
