import { wholeCoins } from '../../core/amount.js';
import { read, readText, shape } from '../../core/arguments.js';
import { TrueupError } from '../../core/errors.js';
import type { WalletReference } from '../../core/posting/request.js';
import { canonicalId, possibleId } from '../../mapping/ids.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import { checkReference, REFERENCE, WALLET } from '../reference.js';
import { readDate, timeOf } from './arguments.js';
import * as moments from './moment-statements.js';
import * as statements from './wallet-statements.js';
import { checkPossible, findWallet, theOne } from './wallet.js';

/** What a wallet holds, all at one moment. Coins are whole numbers. */
export interface WalletBalance {
  readonly walletId: string;
  /** null: nobody is shown this wallet, or the mapping does not say who. */
  readonly userId: string | null;
  /** null: the mapping knows no currencies. */
  readonly currency: string | null;
  /**
   * What the wallet's last entry says, where the ledger is numbered; else the wallet's cache, which
   * follows the ledger in the same commit.
   */
  readonly balance: bigint;
  /** Coins on hold. Holds whose time is over do not count, closed or not. */
  readonly held: bigint;
  /** `balance - held`: what a debit may take, where no overdraft is allowed. */
  readonly available: bigint;
  /** Nothing may be posted on it. */
  readonly frozen: boolean;
  readonly frozenReason: string | null;
}

/** A wallet, and a time. */
export interface BalanceAtRequest extends WalletReference {
  readonly at: Date;
}

const BALANCE_AT = shape<BalanceAtRequest>('a balance', { ...REFERENCE, at: readDate }, ['at']);

/** A balance as one entry left it. */
export interface EntryBalance {
  readonly entryId: string;
  readonly walletId: string;
  readonly balance: bigint;
}

/**
 * Balance, holds and state of a wallet, in one statement.
 *
 * @throws TrueupError `wallet_not_found`, `user_not_found`, `invalid_argument`, `feature_off`
 */
export async function readBalance(
  session: Queryable,
  mapping: ResolvedMapping,
  wallet: WalletReference,
): Promise<WalletBalance> {
  const reference = checkReference(mapping, read(WALLET, wallet), 'a balance');
  checkPossible(mapping, reference);
  const statement = statements.readBalance(mapping, reference);
  const row = theOne(await session.query<statements.BalanceRow>(statement), reference);
  const balance = wholeCoins(row.balance);
  const held = heldOf(row);
  const { walletId, userId, currency, frozen, frozenReason } = row;
  return {
    walletId,
    userId,
    currency,
    balance,
    held,
    available: balance - held,
    frozen,
    frozenReason,
  };
}

/**
 * As a posting would count it: an application may set coins aside in the cache by itself, and
 * whichever of the two says more keeps them from being spent.
 */
function heldOf(row: statements.BalanceRow): bigint {
  const [pending, held, overdue] = [row.pending, row.held, row.overdue].map(wholeCoins);
  const most = (pending ?? 0n) > (held ?? 0n) ? (pending ?? 0n) : (held ?? 0n);
  const left = most - (overdue ?? 0n);
  return left > 0n ? left : 0n;
}

/**
 * The balance of a wallet at a time: after its last entry, by number, whose time is not later (to the
 * millisecond). 0 before the first. Where the ledger is not numbered: the sum of the entries whose
 * time is not later.
 *
 * @throws TrueupError as {@link readBalance}; `feature_off` where ledger.createdAt is not mapped
 */
export async function readBalanceAt(
  session: Queryable,
  mapping: ResolvedMapping,
  request: BalanceAtRequest,
): Promise<bigint> {
  const asked = checkReference(mapping, read(BALANCE_AT, request), 'a balance');
  timeOf(mapping);
  const { walletId } = await findWallet(session, mapping, asked);
  // Entries are shown with their milliseconds: everything of this one belongs to it.
  const end = asked.at.getTime() + 1;
  const [row] = await session.query<moments.MomentRow>(moments.before(mapping, walletId, end));
  return wholeCoins(row?.balance ?? '0');
}

/**
 * The balance that an entry left behind: the stored one where the ledger is numbered, else the sum of
 * the wallet's entries up to it.
 *
 * @throws TrueupError `entry_not_found`, `invalid_argument`
 */
export async function readBalanceAfter(
  session: Queryable,
  mapping: ResolvedMapping,
  entryId: string,
): Promise<EntryBalance> {
  const id = canonicalId(mapping.ledger.id, readText(entryId, 'entryId'));
  const rows = possibleId(mapping.ledger.id, id)
    ? await session.query<moments.AfterRow>(moments.after(mapping, id))
    : [];
  const [row] = rows;
  if (row === undefined) throw new TrueupError('entry_not_found', `there is no entry ${id}`);
  return { entryId: id, walletId: row.walletId, balance: wholeCoins(row.balance) };
}
