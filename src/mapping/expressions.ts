import { quoteLiteral } from '../postgres/identifiers.js';
import type { ResolvedMapping } from './model.js';

/** Pieces of SQL that several generators share. */

/**
 * The profile that shows a wallet: its own for the primary wallet, null for every other. Without
 * currencies every wallet is the primary one.
 */
export function shownProfile({ wallet, profile }: ResolvedMapping, alias: string): string {
  if (profile === undefined) return 'NULL';
  const link = `${alias}.${profile.link.quoted}`;
  return wallet.primary === undefined
    ? link
    : `CASE WHEN ${alias}.${wallet.primary.quoted} THEN ${link} END`;
}

/** `AND ...`: the wallet (by its alias) is the one that its profile shows. */
export function andIsPrimary({ wallet }: ResolvedMapping, alias: string): string {
  return wallet.primary === undefined ? '' : ` AND ${alias}.${wallet.primary.quoted}`;
}

/**
 * The condition under which an entry counts as earnings. Every positive one does, but for the
 * reasons that the registry takes out.
 */
export function earns({ ledger, unearned }: ResolvedMapping, alias: string): string {
  const positive = `${alias}.${ledger.amount.quoted} > 0`;
  if (unearned.length === 0 || ledger.reason === undefined) return positive;
  const reasons = unearned.map(quoteLiteral).join(', ');
  return `${positive} AND (${alias}.${ledger.reason.quoted} IN (${reasons})) IS NOT TRUE`;
}
