import type { WalletReference } from '../../core/posting/request.js';
import { andIsPrimary } from '../../mapping/expressions.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Statement } from '../../postgres/database.js';
import { quoteLiteral } from '../../postgres/identifiers.js';
import { chainOf, coins, sumOfCoins, text } from './expressions.js';

/** Statements about one wallet. None has a name: each is planned for the values it is sent with. */

/** Which wallet a reference means. A user without one has a row all the same. */
export interface WalletRow {
  readonly walletId: string | null;
  readonly currency: string | null;
}

export function findWallet(mapping: ResolvedMapping, reference: WalletReference): Statement {
  const { wallet } = mapping;
  const { from, values } = source(mapping, reference, '');
  return {
    text: `SELECT w.${wallet.id.quoted}::text AS "walletId", ${text(wallet.currency, 'w')} AS currency
  ${from}`,
    values,
  };
}

export interface BalanceRow extends WalletRow {
  readonly userId: string | null;
  readonly balance: string;
  /** What the wallet's cache says is on hold. */
  readonly pending: string;
  /** Coins of open holds, and of those whose time is over. */
  readonly held: string;
  readonly overdue: string;
  readonly frozen: boolean;
  readonly frozenReason: string | null;
}

/** Balance and holds of a wallet, of one moment. */
export function readBalance(mapping: ResolvedMapping, reference: WalletReference): Statement {
  const { ledger, wallet, profile } = mapping;
  const chain = chainOf(mapping);
  const last =
    chain === undefined
      ? ''
      : `LEFT JOIN LATERAL (
         SELECT ${coins(chain.balanceAfter, 'e')} AS balance FROM ${ledger.table.quoted} AS e
          WHERE e.${ledger.wallet.quoted} = w.${wallet.id.quoted}
          ORDER BY e.${chain.sequence.quoted} DESC LIMIT 1) AS h ON true`;
  const keepsHolds = wallet.pendingBalance !== undefined && mapping.holdsKept;
  const holds = keepsHolds
    ? `LEFT JOIN LATERAL (
         SELECT sum(s.held) AS held,
                sum(s.held) FILTER (WHERE s.expires_at <= statement_timestamp()) AS overdue
           FROM trueup.holds AS s
          WHERE s.ledger = ${quoteLiteral(ledger.table.quoted)} AND s.state = 'open'
            AND s.wallet_id = w.${wallet.id.quoted}::text) AS o ON true`
    : 'CROSS JOIN (SELECT 0 AS held, 0 AS overdue) AS o';
  const pending = wallet.pendingBalance === undefined ? '0' : `w.${wallet.pendingBalance.quoted}`;
  const frozen = wallet.frozen === undefined ? 'false' : `w.${wallet.frozen.quoted}`;
  const { from, values } = source(mapping, reference, `${last}\n  ${holds}`);
  return {
    text: `SELECT w.${wallet.id.quoted}::text AS "walletId", ${text(wallet.currency, 'w')} AS currency,
       ${text(profile?.user, 'p')} AS "userId",
       coalesce(${chain === undefined ? coins(wallet.balance, 'w') : 'h.balance'}, '0') AS balance,
       ${sumOfCoins(pending)} AS pending, ${sumOfCoins('o.held')} AS held, ${sumOfCoins('o.overdue')} AS overdue,
       coalesce(${frozen}, false) AS frozen, ${text(wallet.frozenReason, 'w')} AS "frozenReason"
  ${from}`,
    values,
  };
}

/** `FROM ... WHERE`: the wallet as w and its profile, where there is one, as p. */
function source(
  mapping: ResolvedMapping,
  { walletId, userId, currency }: WalletReference,
  joins: string,
): { from: string; values: readonly string[] } {
  const { wallet, profile } = mapping;
  const wallets = `${wallet.table.quoted} AS w`;
  if (profile === undefined || userId === undefined) {
    const profiles =
      profile === undefined
        ? ''
        : `LEFT JOIN ${profile.table.quoted} AS p ON p.${profile.id.quoted} = w.${profile.link.quoted}`;
    return {
      from: `FROM ${wallets}\n  ${profiles}\n  ${joins}
 WHERE w.${wallet.id.quoted} = $1::${wallet.id.baseType}`,
      values: [walletId ?? ''],
    };
  }
  const named = currency !== undefined && wallet.currency !== undefined;
  const which = named
    ? ` AND w.${wallet.currency.quoted} = $2::${wallet.currency.baseType}`
    : andIsPrimary(mapping, 'w');
  const user = profile.user ?? profile.id;
  return {
    from: `FROM ${profile.table.quoted} AS p
  LEFT JOIN ${wallets} ON w.${profile.link.quoted} = p.${profile.id.quoted}${which}
  ${joins}
 WHERE p.${user.quoted} = $1::${user.baseType}`,
    values: named ? [userId, currency] : [userId],
  };
}
