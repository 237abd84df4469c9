import { read, readFlag, readText, shape } from '../core/arguments.js';
import { TrueupError } from '../core/errors.js';
import type { Database } from '../postgres/database.js';
import * as statements from './statements.js';

/** The currency of a wallet that names none. */
export const DEFAULT_CURRENCY = 'coins';

/** A wallet of Trueup's own tables to be opened. */
export interface OpenWalletRequest {
  /** Whose it is. Left out: a wallet that nobody is shown, such as a treasury. */
  readonly userId?: string | undefined;
  /** Default: `coins`. A user has one wallet of each; the first that is opened is the one that is shown. */
  readonly currency?: string | undefined;
  /** The balance may go below zero. Default: no. A wallet that is there already keeps what it has. */
  readonly allowOverdraft?: boolean | undefined;
}

const OPENING = shape<OpenWalletRequest>('a wallet to be opened', {
  userId: readText,
  currency: readText,
  allowOverdraft: readFlag,
});

/**
 * Opens a wallet in Trueup's own tables, and the profile that shows it. A user who has one of this
 * currency keeps it as it is.
 *
 * @returns the id of the wallet
 * @throws TrueupError `invalid_argument`
 */
export async function openWallet(database: Database, request: OpenWalletRequest): Promise<string> {
  const { userId, currency = DEFAULT_CURRENCY, allowOverdraft = false } = read(OPENING, request);
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
