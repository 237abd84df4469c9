import { andIsPrimary } from '../mapping/expressions.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Statement } from '../postgres/database.js';
import { quoteLiteral } from '../postgres/identifiers.js';
import { arrayOf } from './arrays.js';
import type { Wanted } from './wanted.js';

/** Statements that lock the wallets of a batch, and read what stands behind the locks. */

/** A wallet as its row says. */
export interface WalletRow {
  readonly walletId: string;
  readonly balance: string | null;
  readonly pending: string | null;
  readonly currency: string | null;
  /** {@link WalletSpecials} as JSON; null for most wallets, so that a thousand rows are read at once. */
  readonly special: string | null;
  readonly userId: string | null;
}

/** What is out of the ordinary. */
export interface WalletSpecials {
  readonly isPrimary: boolean;
  readonly frozen: boolean;
  readonly allowOverdraft: boolean;
  readonly floor: string | null;
  readonly ceiling: string | null;
}

/**
 * Locks every wallet of the batch in id order, and returns each as it is once its lock is held.
 * Whoever waits here sees in the *next* statement what the one before committed.
 */
export function lockWallets(mapping: ResolvedMapping, wanted: Wanted): Statement {
  return locking(mapping, wanted, '');
}

/** The same for those whose locks nobody else holds; the others are left out. */
export function lockFreeWallets(mapping: ResolvedMapping, wanted: Wanted): Statement {
  return locking(mapping, wanted, ' SKIP LOCKED');
}

function locking(mapping: ResolvedMapping, wanted: Wanted, how: string): Statement {
  const { wallet } = mapping;
  const { text, values, name } = wantedWallets(mapping, wanted);
  return {
    name: `lock${how.toLowerCase()} ${name}`,
    text: `${text}
SELECT ${walletColumns(mapping, wanted)}
  FROM ${wallet.table.quoted} AS w
 WHERE w.${wallet.id.quoted} IN (SELECT wanted.id FROM wanted)
 ORDER BY w.${wallet.id.quoted} FOR NO KEY UPDATE OF w${how}`,
    values,
  };
}

/** The columns of a {@link WalletRow}, from the wallet `w`. */
export function walletColumns(mapping: ResolvedMapping, wanted: Wanted): string {
  const { wallet, profile } = mapping;
  const user =
    profile?.user === undefined || wanted.users.length === 0
      ? 'NULL'
      : `(SELECT p.${profile.user.quoted}::text FROM ${profile.table.quoted} AS p
                    WHERE p.${profile.id.quoted} = w.${profile.link.quoted})`;
  return `w.${wallet.id.quoted}::text AS "walletId", ${walletColumn(mapping, 'balance')} AS balance,
       ${walletPending(mapping)} AS pending, ${walletColumn(mapping, 'currency')} AS currency,
       ${walletSpecials(mapping)} AS special, ${user} AS "userId"`;
}

/** The pending balance of the wallet `w`, as text. */
export function walletPending(mapping: ResolvedMapping): string {
  return walletColumn(mapping, 'pendingBalance');
}

/** {@link WalletSpecials} of the wallet `w`, as JSON text; null where there are none. */
export function walletSpecials(mapping: ResolvedMapping): string {
  const flag = (role: 'primary' | 'frozen' | 'allowOverdraft', otherwise: string): string =>
    walletColumn(mapping, role, otherwise, '');
  const ceiling = walletColumn(mapping, 'maxBalance');
  return `CASE WHEN ${flag('primary', 'true')} IS NOT TRUE OR ${flag('frozen', 'false')} OR ${flag('allowOverdraft', 'false')}
                 OR ${ceiling} IS NOT NULL
            THEN json_build_object(
              'isPrimary', coalesce(${flag('primary', 'true')}, false),
              'frozen', coalesce(${flag('frozen', 'false')}, false),
              'allowOverdraft', coalesce(${flag('allowOverdraft', 'false')}, false),
              'floor', ${walletColumn(mapping, 'minBalance')}, 'ceiling', ${ceiling})::text END`;
}

function walletColumn(
  { wallet }: ResolvedMapping,
  role: Exclude<keyof ResolvedMapping['wallet'], 'table'>,
  otherwise = 'NULL',
  cast = '::text',
): string {
  const column = wallet[role];
  return column === undefined ? otherwise : `w.${column.quoted}${cast}`;
}

/** What the ledger and the open holds say of a wallet. */
export interface HeadRow {
  readonly walletId: string;
  readonly sequence: string | null;
  readonly balance: string | null;
  /** Coins of open holds. */
  readonly held: string | null;
  /** Coins of open holds whose time is over. */
  readonly overdue: string | null;
}

/**
 * The last entry of each wallet of the batch, and its open holds. To be sent after
 * {@link lockWallets}.
 */
export function readHeads(mapping: ResolvedMapping, wanted: Wanted): Statement {
  const { text, values, name } = wantedWallets(mapping, wanted);
  return {
    name: `heads ${name}`,
    text: `${text}
SELECT wanted.id::text AS "walletId", h.sequence::text, h.balance::text, o.held::text, o.overdue::text
  FROM wanted
  ${lastEntryOf(mapping, 'wanted.id')}
  ${openHoldsOf(mapping, 'wanted.id')}`,
    values,
  };
}

/** Joins the last entry of a wallet as `h (sequence, balance)`. */
export function lastEntryOf({ ledger }: ResolvedMapping, walletId: string): string {
  const { sequence, balanceAfter } = ledger;
  if (sequence === undefined || balanceAfter === undefined) {
    return 'CROSS JOIN (SELECT NULL::bigint AS sequence, NULL::bigint AS balance) AS h';
  }
  return `LEFT JOIN LATERAL (
         SELECT e.${sequence.quoted} AS sequence, e.${balanceAfter.quoted} AS balance
           FROM ${ledger.table.quoted} AS e WHERE e.${ledger.wallet.quoted} = ${walletId}
          ORDER BY e.${sequence.quoted} DESC LIMIT 1) AS h ON true`;
}

/** Joins the coins in open holds of a wallet as `o (held, overdue)`. */
export function openHoldsOf({ ledger, wallet }: ResolvedMapping, walletId: string): string {
  return wallet.pendingBalance === undefined
    ? 'CROSS JOIN (SELECT NULL::bigint AS held, NULL::bigint AS overdue) AS o'
    : `LEFT JOIN LATERAL (
         SELECT sum(s.held) AS held, sum(s.held) FILTER (WHERE s.expires_at <= clock_timestamp()) AS overdue
           FROM trueup.holds AS s
          WHERE s.ledger = ${quoteLiteral(ledger.table.quoted)} AND s.state = 'open'
            AND s.wallet_id = ${walletId}::text) AS o ON true`;
}

/** `WITH wanted (id) AS (...)`: the wallets that a batch names, directly or through something else. */
export function wantedWallets(
  mapping: ResolvedMapping,
  wanted: Wanted,
): { text: string; values: string[]; name: string } {
  const { ledger, wallet, profile } = mapping;
  const type = wallet.id.baseType;
  const key = quoteLiteral(ledger.table.quoted);
  const values = [arrayOf(wanted.wallets)];
  const next = (array: string): string => `$${String(values.push(array))}`;
  const parts = [`SELECT unnest($1::${type}[]) AS id`];
  const used = ['wallets'];
  if (wanted.users.length > 0 && profile?.user !== undefined) {
    const users = next(arrayOf(wanted.users));
    const currencies = next(arrayOf(wanted.currencies));
    const currency =
      wallet.currency === undefined ? 'true' : `w.${wallet.currency.quoted} = u.currency`;
    parts.push(`SELECT w.${wallet.id.quoted} FROM unnest(${users}::${profile.user.baseType}[], ${currencies}::text[]) AS u (id, currency)
    JOIN ${profile.table.quoted} AS p ON p.${profile.user.quoted} = u.id
    JOIN ${wallet.table.quoted} AS w ON w.${profile.link.quoted} = p.${profile.id.quoted}
     AND CASE WHEN u.currency IS NULL THEN true${andIsPrimary(mapping, 'w')} ELSE ${currency} END`);
    used.push('users');
  }
  if (wanted.holds.length > 0) {
    parts.push(`SELECT s.wallet_id::${type} FROM trueup.holds AS s
     WHERE s.ledger = ${key} AND s.id = ANY (${next(arrayOf(wanted.holds))}::uuid[])`);
    used.push('holds');
  }
  if (wanted.entries.length > 0) {
    const ids = next(arrayOf(wanted.entries));
    parts.push(`SELECT e.${ledger.wallet.quoted} FROM ${ledger.table.quoted} AS e
     WHERE e.${ledger.id.quoted} = ANY (${ids}::${ledger.id.baseType}[])`);
    if (ledger.transaction !== undefined) {
      parts.push(`SELECT e.${ledger.wallet.quoted} FROM ${ledger.table.quoted} AS k
      JOIN ${ledger.table.quoted} AS e ON e.${ledger.transaction.quoted} = k.${ledger.transaction.quoted}
     WHERE k.${ledger.id.quoted} = ANY (${ids}::${ledger.id.baseType}[])`);
    }
    used.push('entries');
  }
  if (wanted.transactions.length > 0 && ledger.transaction !== undefined) {
    const { quoted, baseType } = ledger.transaction;
    parts.push(`SELECT e.${ledger.wallet.quoted} FROM ${ledger.table.quoted} AS e
     WHERE e.${quoted} = ANY (${next(arrayOf(wanted.transactions))}::${baseType}[])`);
    used.push('transactions');
  }
  return {
    text: `WITH wanted (id) AS (\n  ${parts.join('\n   UNION\n  ')})`,
    values,
    name: `${ledger.table.oid} ${used.join(' ')}`,
  };
}
