import { OWN_MAPPING, type Finding, type Trueup, type TrueupOptions } from '../../src/index.js';
import { deltacrown } from '../cli/deltacrown.js';
import type { TestDatabase } from './database.js';
import { createEconomy } from './economy.js';

/**
 * Stages on which faults are played: Trueup's own tables, adopted ones, and the platform of UP-M3. Each
 * has a wallet with a history of amounts that no sum of others can be taken for, all in sync and on
 * record as verified.
 */
export interface Stage {
  readonly trueup: Trueup;
  readonly db: TestDatabase;
  readonly config: NonNullable<TrueupOptions['config']>;
  readonly walletId: string;
  readonly profileId: string;
  /** A wallet of the same kind without any entry. */
  readonly emptyWalletId: string;
  /** The text of an INSERT of one entry, with its running balance. */
  readonly entry: (amount: number) => string;
}

export const AMOUNTS = [1009, 2003, -307, 4007, -811];

export const STAGES: Readonly<Record<string, (db: TestDatabase) => Promise<Stage>>> = {
  'own tables': ownStage,
  'adopted tables': adoptedStage,
  ...(deltacrown.missing ? {} : { 'the platform of UP-M3': platformStage }),
};

async function ownStage(db: TestDatabase): Promise<Stage> {
  await fresh(db);
  const trueup = await open(db);
  const walletId = await trueup.openWallet({ userId: 'ada' });
  const emptyWalletId = await trueup.openWallet({ userId: 'bob' });
  const profileId = await db.value('SELECT profile_id::text FROM trueup.wallets WHERE id = $1', [
    walletId,
  ]);
  return settle({
    trueup,
    db,
    config: OWN_MAPPING,
    walletId,
    profileId,
    emptyWalletId,
    entry: (amount) => `
      INSERT INTO trueup.entries (wallet_id, seq, amount, balance_after, reason, writer, created_at)
      SELECT ${walletId}, coalesce(max(seq), 0) + 1, ${String(amount)}, coalesce(sum(amount), 0) + ${String(amount)},
             'winner', pg_current_xact_id(), clock_timestamp() FROM trueup.entries WHERE wallet_id = ${walletId}`,
  });
}

async function adoptedStage(db: TestDatabase): Promise<Stage> {
  await fresh(db);
  const economy = await createEconomy(db, 2, { foreignKeys: false, balanceAfter: true });
  const trueup = await open(db, { config: economy.mapping });
  await trueup.installSync();
  return settle({
    trueup,
    db,
    config: economy.mapping,
    walletId: '1',
    profileId: '101',
    emptyWalletId: '2',
    entry: (amount) => `
      INSERT INTO app.ledger (wallet_id, amount, after, created_at)
      SELECT 1, ${String(amount)}, coalesce(sum(amount), 0) + ${String(amount)}, clock_timestamp() FROM app.ledger WHERE wallet_id = 1`,
  });
}

async function platformStage(db: TestDatabase): Promise<Stage> {
  await fresh(db);
  await db.run(deltacrown.read('schema.sql').toString());
  await db.run(deltacrown.read('data.sql').toString());
  const trueup = await open(db, { config: deltacrown.config });
  await trueup.installSync();
  return settle({
    trueup,
    db,
    config: deltacrown.config,
    walletId: '1',
    profileId: '101',
    emptyWalletId: '4',
    entry: (amount) => `
      INSERT INTO economy_deltacrowntransaction (wallet_id, amount, cached_balance_after, reason, note, created_at)
      SELECT 1, ${String(amount)}, sum(amount) + ${String(amount)}, 'winner', '', clock_timestamp()
        FROM economy_deltacrowntransaction WHERE wallet_id = 1`,
  });
}

const last = new WeakMap<TestDatabase, Trueup>();

/** The stage before is left: connections are few. */
async function open(db: TestDatabase, options: TrueupOptions = {}): Promise<Trueup> {
  const trueup = await db.trueup(options);
  last.set(db, trueup);
  return trueup;
}

async function fresh(db: TestDatabase): Promise<void> {
  await last.get(db)?.close();
  await db.run(
    `DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE;
     DROP SCHEMA public CASCADE; CREATE SCHEMA public`,
  );
}

async function settle(stage: Stage): Promise<Stage> {
  for (const amount of AMOUNTS) await stage.db.run(stage.entry(amount));
  await stage.trueup.reconcile({ all: true });
  return stage;
}

/** The names of a stage's tables and columns, quoted. */
export function namesOf({ trueup }: Stage): Readonly<Record<string, string>> {
  const { ledger, wallet, profile } = trueup.mapping;
  return {
    ledger: ledger.table.quoted,
    entryId: ledger.id.quoted,
    entryWallet: ledger.wallet.quoted,
    amount: ledger.amount.quoted,
    wallet: wallet.table.quoted,
    balance: wallet.balance.quoted,
    earned: wallet.lifetimeEarnings?.quoted ?? '',
    pending: wallet.pendingBalance?.quoted ?? '',
    profile: profile?.table.quoted ?? '',
    shown: profile?.balance?.quoted ?? '',
    shownEarned: profile?.lifetimeEarnings?.quoted ?? '',
    link: profile?.link.quoted ?? '',
  };
}

/** SQL in a session that no trigger sees: neither those of the sync nor the guard's. */
export function unseen(text: string): string {
  return `BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL trueup.writer = 'trueup'; ${text}; COMMIT`;
}

/** What a dry run finds. */
export async function drift({ trueup }: Stage): Promise<Finding[]> {
  const found: Finding[] = [];
  await trueup.reconcile({ all: true, dryRun: true, onFinding: (finding) => found.push(finding) });
  return found;
}
