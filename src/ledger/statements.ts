import type { Column, ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';

/** Statements of the posting verbs, made from the mapping. */

export interface LockedWalletRow {
  readonly walletId: string;
  readonly balance: string | null;
  readonly allowOverdraft: boolean;
}

/** Locks a wallet by its id; what it returns is the row as it is once the lock is held. */
export function lockWallet(mapping: ResolvedMapping, walletId: string): Statement {
  const { wallet } = mapping;
  return {
    text: `${lockedColumns(mapping)}
             FROM ${wallet.table.quoted} AS w
            WHERE w.${wallet.id.quoted} = $1::${wallet.id.baseType} FOR NO KEY UPDATE`,
    values: [walletId],
  };
}

/** Locks the wallet of a user. undefined: the mapping does not say which profile is whose. */
export function lockWalletOfUser(mapping: ResolvedMapping, userId: string): Statement | undefined {
  const { wallet, profile } = mapping;
  if (profile?.user === undefined) return undefined;
  return {
    text: `${lockedColumns(mapping)}
             FROM ${wallet.table.quoted} AS w
             JOIN ${profile.table.quoted} AS p ON p.${profile.id.quoted} = w.${profile.link.quoted}
            WHERE p.${profile.user.quoted} = $1::${profile.user.baseType} FOR NO KEY UPDATE OF w`,
    values: [userId],
  };
}

function lockedColumns({ wallet }: ResolvedMapping): string {
  const overdraft = wallet.allowOverdraft;
  return `SELECT w.${wallet.id.quoted}::text AS "walletId", w.${wallet.balance.quoted}::text AS balance,
                  ${overdraft === undefined ? 'false' : `coalesce(w.${overdraft.quoted}, false)`} AS "allowOverdraft"`;
}

export interface EntryRow {
  readonly entryId: string;
  readonly walletId: string;
  readonly amount: string;
  readonly reason: string | null;
  readonly balanceAfter: string | null;
}

/** The entry that was posted under a key. undefined: the mapping has no such column. */
export function entryByKey(mapping: ResolvedMapping, key: string): Statement | undefined {
  const { ledger } = mapping;
  if (ledger.idempotencyKey === undefined) return undefined;
  return {
    text: `SELECT ${entryColumns(mapping)} FROM ${ledger.table.quoted} AS e
            WHERE e.${ledger.idempotencyKey.quoted} = $1::${ledger.idempotencyKey.baseType}`,
    values: [key],
  };
}

/** What a new entry says, by the roles of the mapping. A role that is not mapped is left out. */
export interface NewEntry {
  readonly wallet: string;
  readonly amount: string;
  readonly reason: string;
  readonly note: string | undefined;
  readonly metadata: string | undefined;
  readonly actor: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** Where the database does not number the entries itself. */
  readonly balanceAfter: string | undefined;
}

/** Inserts one entry. */
export function insertEntry(mapping: ResolvedMapping, entry: NewEntry): Statement {
  const { ledger } = mapping;
  const columns: string[] = [];
  const expressions: string[] = [];
  const values: string[] = [];
  for (const [role, value] of Object.entries(entry) as [keyof NewEntry, string | undefined][]) {
    const column: Column | undefined = ledger[role];
    if (column === undefined || value === undefined) continue;
    columns.push(column.quoted);
    expressions.push(`$${String(values.push(value))}::${column.baseType}`);
  }
  // A ledger that Trueup numbers takes the time under the wallet's lock, by itself.
  if (ledger.createdAt !== undefined && ledger.sequence === undefined) {
    columns.push(ledger.createdAt.quoted);
    expressions.push('clock_timestamp()');
  }
  return {
    text: `INSERT INTO ${ledger.table.quoted} AS e (${columns.join(', ')}) VALUES (${expressions.join(', ')})
           RETURNING ${entryColumns(mapping)}`,
    values,
  };
}

function entryColumns({ ledger }: ResolvedMapping): string {
  const text = (column: Column | undefined): string =>
    column === undefined ? 'NULL' : `e.${column.quoted}::text`;
  return `e.${ledger.id.quoted}::text AS "entryId", e.${ledger.wallet.quoted}::text AS "walletId",
                  e.${ledger.amount.quoted}::text AS amount, ${text(ledger.reason)} AS reason,
                  ${text(ledger.balanceAfter)} AS "balanceAfter"`;
}

/** Opens a profile and a wallet in Trueup's own tables; what is there already stays as it is. */
export function openProfile(userId: string): Statement {
  return {
    text: 'INSERT INTO trueup.profiles (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING',
    values: [userId],
  };
}

export function openWallet(userId: string, allowOverdraft: boolean): Statement {
  return {
    text: `INSERT INTO trueup.wallets (profile_id, allow_overdraft)
           SELECT id, $2 FROM trueup.profiles WHERE user_id = $1
           ON CONFLICT (profile_id) DO NOTHING`,
    values: [userId, allowOverdraft],
  };
}

export function openWalletWithoutProfile(allowOverdraft: boolean): Statement {
  return {
    text: 'INSERT INTO trueup.wallets (allow_overdraft) VALUES ($1) RETURNING id::text AS "walletId"',
    values: [allowOverdraft],
  };
}

export function walletOf(userId: string): Statement {
  return {
    text: `SELECT w.id::text AS "walletId" FROM trueup.wallets w
             JOIN trueup.profiles p ON p.id = w.profile_id WHERE p.user_id = $1`,
    values: [userId],
  };
}
