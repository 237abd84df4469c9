import type { Comparison } from '../core/comparison.js';
import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { refuseSharedProfiles } from '../mapping/resolve.js';
import * as mapped from '../mapping/statements.js';
import type { Queryable } from '../postgres/database.js';

/** Profiles that got a second wallet since the installation, for the story of a balance. */

/** For each wallet that shares its profile the others; it reads wallets only where no index rules it out. */
export async function sharersOf(
  session: Queryable,
  mapping: ResolvedMapping,
  rows: readonly Comparison[],
): Promise<ReadonlyMap<string | null, readonly string[]>> {
  const walletIds = rows.flatMap(({ walletId }) => (walletId === null ? [] : [walletId]));
  const { profile } = mapping;
  if (profile === undefined || !mapping.sharedProfilesPossible) return new Map();
  const found = await session.query<mapped.SharersRow>(
    mapped.sharersOf(mapping, profile, walletIds),
  );
  return new Map(found.map(({ walletId, others }) => [walletId, others]));
}

/** One profile with two wallets, of whomever, keeps reconcile from running. */
export async function refusalOf(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<string | null> {
  try {
    await refuseSharedProfiles(session, mapping);
    return null;
  } catch (problem) {
    if (!(problem instanceof TrueupError) || problem.code !== 'mapping_mismatch') throw problem;
    return problem.message;
  }
}
