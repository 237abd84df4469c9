import * as statements from './negative-statements.js';
import type { CriticalWallet } from './tiers.js';
import type { Piece, Suspect, Walk } from './walk.js';

/**
 * Adds to what was seen in a piece the wallets that say themselves that they have less than nothing, and may
 * not: they need not have drifted.
 */
export async function withNegatives(
  walk: Walk,
  piece: Piece,
  suspects: readonly Suspect[],
): Promise<readonly Suspect[]> {
  if (!walk.negatives || piece.kind === 'profiles' || piece.kind === 'profileIds') return suspects;
  const rows = await walk.database.query<{ walletId: string }>(
    statements.negativeWallets(walk.mapping, piece),
  );
  if (rows.length === 0) return suspects;
  const negative = new Set<string | null>(rows.map(({ walletId }) => walletId));
  const drifted = new Set(suspects.map(({ walletId }) => walletId));
  return [
    ...suspects.map((one) =>
      negative.has(one.walletId) ? { ...one, negative: 'also' as const } : one,
    ),
    ...rows
      .filter(({ walletId }) => !drifted.has(walletId) && piece.except?.has(walletId) !== true)
      .map(({ walletId }) => ({ walletId, negative: 'only' as const })),
  ];
}

/** Those of some suspects that have less than they may have, as a run sees it that only reports. */
export async function criticalAmong(
  { database, mapping, negatives }: Walk,
  suspects: readonly Suspect[],
): Promise<readonly CriticalWallet[]> {
  const ids = suspects.flatMap(({ walletId }) => (walletId === null ? [] : [walletId]));
  if (!negatives || ids.length === 0) return [];
  return database.query<statements.CriticalRow>(statements.criticalAmong(mapping, ids));
}
