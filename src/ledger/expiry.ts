import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import * as statements from './expiry-statements.js';
import { lockWallets } from './lock-statements.js';
import { expireHolds } from './write-statements.js';

/** Wallets whose overdue holds are closed in one transaction. */
const WALLETS_AT_A_TIME = 500;

/**
 * Closes every hold whose time is over. Nobody waits for this: an overdue hold does not count from
 * the moment it is overdue; closing it only brings the pending balance up to date.
 *
 * @returns how many wallets had such holds
 */
export async function expireOverdueHolds(
  database: Database,
  mapping: ResolvedMapping,
  signal?: AbortSignal,
): Promise<number> {
  if (mapping.wallet.pendingBalance === undefined || !mapping.holdsKept) return 0;
  let wallets = 0;
  while (signal?.aborted !== true) {
    const due = await database.query<{ walletId: string }>(
      statements.walletsWithOverdueHolds(mapping, WALLETS_AT_A_TIME),
    );
    if (due.length === 0) break;
    const ids = due.map(({ walletId }) => walletId);
    await database.transaction((session) => closeOverdue(session, mapping, ids), { retries: 5 });
    wallets += ids.length;
  }
  return wallets;
}

async function closeOverdue(
  session: Parameters<Parameters<Database['transaction']>[0]>[0],
  mapping: ResolvedMapping,
  walletIds: readonly string[],
): Promise<void> {
  const none = { users: [], currencies: [], holds: [], entries: [], transactions: [], keys: [] };
  await session.query(lockWallets(mapping, { ...none, wallets: walletIds }));
  const [moment] = await session.query<{ now: string }>(statements.present);
  await session.query(expireHolds(mapping, walletIds, moment?.now ?? 'now'));
}
