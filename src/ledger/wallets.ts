import { TrueupError } from '../core/errors.js';
import type { Database } from '../postgres/database.js';
import * as statements from './statements.js';

/** The currency of a wallet that names none. */
export const DEFAULT_CURRENCY = 'coins';

/** A wallet of Trueup's own tables to be opened. */
export interface OpenWalletRequest {
  /** Whose it is. Left out: a wallet that nobody is shown, such as a treasury. */
  readonly userId?: string;
  /** Default: `coins`. A user has one wallet of each; the first that is opened is the one he is shown. */
  readonly currency?: string;
  /** The balance may go below zero. Default: no. */
  readonly allowOverdraft?: boolean;
}

/**
 * Opens a wallet in Trueup's own tables, and the profile that shows it. A user who has one of this
 * currency keeps it as it is.
 *
 * @returns the id of the wallet
 * @throws TrueupError `invalid_argument`
 */
export async function openWallet(
  database: Database,
  { userId, currency = DEFAULT_CURRENCY, allowOverdraft = false }: OpenWalletRequest,
): Promise<string> {
  if (userId === '') throw new TrueupError('invalid_argument', 'a user id cannot be empty');
  if (currency.trim() === '')
    throw new TrueupError('invalid_argument', 'a currency cannot be empty');
  if (userId !== undefined) {
    // Without any lock: this is called at every login, and posting locks a wallet before its profile.
    const [known] = await database.query<{ walletId: string }>(
      statements.walletOf(userId, currency),
    );
    if (known !== undefined) return known.walletId;
  }
  const rows = await database.transaction(async (session) => {
    if (userId === undefined) {
      return session.query<{ walletId: string }>(
        statements.openWalletWithoutProfile(currency, allowOverdraft),
      );
    }
    await session.query(statements.openProfile(userId));
    await session.query(statements.lockProfile(userId));
    await session.query(statements.openWallet(userId, currency, allowOverdraft));
    return session.query<{ walletId: string }>(statements.walletOf(userId, currency));
  });
  const walletId = rows[0]?.walletId;
  if (walletId === undefined) {
    throw new TrueupError('wallet_not_found', `the wallet of user ${userId ?? ''} was not opened`);
  }
  return walletId;
}
