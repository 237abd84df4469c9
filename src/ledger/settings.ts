import { MAX_AMOUNT } from '../core/amount.js';
import { TrueupError } from '../core/errors.js';
import { possibleId } from '../mapping/ids.js';
import type { Column, ResolvedMapping, Wallet } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { sqlStateOf } from '../postgres/failures.js';
import * as statements from './settings-statements.js';

/** How far a wallet's balance may move. What is left out stays as it is. */
export interface WalletLimits {
  readonly allowOverdraft?: boolean | undefined;
  /** With overdraft: the balance stays at or above it (0 or below). null: no floor. */
  readonly minBalance?: bigint | null | undefined;
  /** The balance is not raised above it. null: no ceiling. */
  readonly maxBalance?: bigint | null | undefined;
}

/**
 * Sets the limits of a wallet.
 *
 * @throws TrueupError `wallet_not_found`, `feature_off` (names the missing column),
 *   `invalid_argument` (also where the wallet is below the new floor already)
 */
export async function setWalletLimits(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
  { allowOverdraft, minBalance, maxBalance }: WalletLimits,
): Promise<void> {
  if (minBalance !== undefined && minBalance !== null && minBalance > 0n)
    throw wrong('minBalance has to be 0 or below');
  if (maxBalance !== undefined && maxBalance !== null && maxBalance < 0n)
    throw wrong('maxBalance has to be 0 or above');
  await change(session, mapping, walletId, [
    ['allowOverdraft', allowOverdraft],
    ['minBalance', minBalance === undefined ? undefined : (minBalance?.toString() ?? null)],
    ['maxBalance', maxBalance === undefined ? undefined : (maxBalance?.toString() ?? null)],
  ]);
}

/**
 * Freezes a wallet: every posting and hold on it is refused until {@link unfreezeWallet}; what is on
 * hold may still be released.
 *
 * @throws TrueupError `wallet_not_found`, `feature_off`
 */
export async function freezeWallet(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
  reason: string | undefined,
): Promise<void> {
  await change(session, mapping, walletId, [
    ['frozen', true],
    ['frozenReason', reason],
  ]);
}

/** @throws TrueupError `wallet_not_found`, `feature_off` */
export async function unfreezeWallet(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<void> {
  const reason = mapping.wallet.frozenReason === undefined ? undefined : null;
  await change(session, mapping, walletId, [
    ['frozen', false],
    ['frozenReason', reason],
  ]);
}

type Role = Exclude<keyof Wallet, 'table'>;

async function change(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
  wanted: readonly (readonly [Role, string | boolean | null | undefined])[],
): Promise<void> {
  const changes = wanted.flatMap(([role, value]) =>
    value === undefined ? [] : [[columnOf(mapping, role), value] as const],
  );
  if (changes.length === 0) throw wrong('nothing is to be changed');
  if (!possibleId(mapping.wallet.id, walletId)) throw unknownWallet(walletId);
  try {
    const rows = await session.query(statements.changeWallet(mapping, walletId, changes));
    if (rows.length === 0) throw unknownWallet(walletId);
  } catch (error) {
    if (sqlStateOf(error) !== '23514') throw error;
    throw new TrueupError(
      'invalid_argument',
      `wallet ${walletId} is outside of these limits already`,
      { hint: 'Move its balance first.', cause: error },
    );
  }
}

function columnOf({ wallet }: ResolvedMapping, role: Role): Column {
  const column = wallet[role];
  if (column !== undefined) return column;
  throw new TrueupError('feature_off', `the mapping names no wallet.${role}`, {
    hint: `Name a column of ${wallet.table.quoted} for wallet.${role}, or do without.`,
  });
}

/** How much may be spent in a window of time, which begins anew at every multiple of its length. */
export interface SpendingLimitRequest {
  /** Default: every wallet. A limit of one wallet takes the place of the general one. */
  readonly walletId?: string | undefined;
  /** Default: every reason. */
  readonly reason?: string | undefined;
  /** Coins. */
  readonly amount: bigint;
  /** In seconds since 1970: 86,400 is a day by UTC. */
  readonly windowSeconds: number;
}

export interface SpendingLimit {
  readonly limitId: string;
  readonly walletId: string | null;
  readonly reason: string | null;
  readonly amount: bigint;
  readonly windowSeconds: number;
}

/** PostgreSQL's integer. */
const LONGEST_WINDOW = 2_147_483_647;

/**
 * Sets a limit, or changes the amount of the one for the same wallet, reason and window.
 *
 * @throws TrueupError `invalid_argument`
 */
export async function setSpendingLimit(
  session: Queryable,
  mapping: ResolvedMapping,
  request: SpendingLimitRequest,
): Promise<SpendingLimit> {
  const { walletId = null, reason = null, amount, windowSeconds } = request;
  if (amount < 0n || amount > MAX_AMOUNT) throw wrong(`the amount ${String(amount)} is no limit`);
  if (!Number.isInteger(windowSeconds) || windowSeconds < 1 || windowSeconds > LONGEST_WINDOW) {
    throw wrong(`a window of ${String(windowSeconds)} seconds is none`);
  }
  if (reason !== null && !Object.hasOwn(mapping.reasons, reason)) {
    throw wrong(`the registry has no reason ${JSON.stringify(reason)}`);
  }
  const [row] = await session.query<statements.SpendingLimitRow>(
    statements.setSpendingLimit(mapping.ledger.table.quoted, {
      walletId,
      reason,
      amount: amount.toString(),
      windowSeconds,
    }),
  );
  if (row === undefined) throw new TrueupError('database_failed', 'the limit was not written');
  return toLimit(row);
}

/** Takes a limit away. @returns whether there was one */
export async function removeSpendingLimit(
  session: Queryable,
  mapping: ResolvedMapping,
  limitId: string,
): Promise<boolean> {
  const statement = statements.removeSpendingLimit(mapping.ledger.table.quoted, limitId);
  return (await session.query(statement)).length > 0;
}

/** All limits of the ledger. */
export async function listSpendingLimits(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<SpendingLimit[]> {
  const rows = await session.query<statements.SpendingLimitRow>(
    statements.spendingLimits(mapping.ledger.table.quoted),
  );
  return rows.map(toLimit);
}

function toLimit(row: statements.SpendingLimitRow): SpendingLimit {
  return { ...row, amount: BigInt(row.amount) };
}

function unknownWallet(walletId: string): TrueupError {
  return new TrueupError('wallet_not_found', `there is no wallet ${walletId}`);
}

function wrong(message: string): TrueupError {
  return new TrueupError('invalid_argument', message);
}
