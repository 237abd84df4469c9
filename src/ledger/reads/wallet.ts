import { wrong } from '../../core/arguments.js';
import { TrueupError } from '../../core/errors.js';
import type { WalletReference } from '../../core/posting/request.js';
import { possibleId } from '../../mapping/ids.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import * as statements from './wallet-statements.js';

/** A wallet that exists. */
export interface FoundWallet {
  readonly walletId: string;
  readonly currency: string | null;
}

/**
 * The wallet that a checked reference means.
 *
 * @throws TrueupError `wallet_not_found`, `user_not_found`; `invalid_argument` where a user has several
 */
export async function findWallet(
  session: Queryable,
  mapping: ResolvedMapping,
  reference: WalletReference,
): Promise<FoundWallet> {
  checkPossible(mapping, reference);
  const statement = statements.findWallet(mapping, reference);
  return theOne(await session.query<statements.WalletRow>(statement), reference);
}

/**
 * Refuses what could not be the id of any wallet or user.
 *
 * @throws TrueupError `wallet_not_found`, `user_not_found`
 */
export function checkPossible(mapping: ResolvedMapping, reference: WalletReference): void {
  const { walletId, userId } = reference;
  const possible =
    userId === undefined
      ? possibleId(mapping.wallet.id, walletId)
      : possibleId(mapping.profile?.user, userId);
  if (!possible) throw unknown(reference);
}

/**
 * Of the rows that were found for a reference, the one that it means.
 *
 * @throws TrueupError `wallet_not_found`, `user_not_found`; `invalid_argument` where a user has
 *   several wallets and nothing says which
 */
export function theOne<Row extends statements.WalletRow>(
  rows: readonly Row[],
  reference: WalletReference,
): Row & FoundWallet {
  const [row, another] = rows;
  if (row === undefined) throw unknown(reference);
  if (another !== undefined) {
    throw wrong(`user ${reference.userId ?? ''} has several wallets: give walletId or currency`);
  }
  const { walletId } = row;
  if (walletId === null) throw walletless(reference);
  const { currency } = reference;
  if (currency !== undefined && row.currency !== currency)
    throw otherCurrency(walletId, row.currency);
  return { ...row, walletId };
}

function unknown({ walletId, userId }: WalletReference): TrueupError {
  return userId === undefined
    ? new TrueupError('wallet_not_found', `there is no wallet ${walletId ?? ''}`)
    : new TrueupError('user_not_found', `there is no user ${userId}`);
}

function walletless({ userId = '', currency }: WalletReference): TrueupError {
  const what = currency === undefined ? 'wallet' : `wallet of ${currency}`;
  return new TrueupError('wallet_not_found', `user ${userId} has no ${what}`);
}

function otherCurrency(walletId: string, currency: string | null): TrueupError {
  return new TrueupError(
    'wallet_not_found',
    `wallet ${walletId} is one of ${currency ?? 'no currency'}`,
  );
}
