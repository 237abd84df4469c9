import { MAX_AMOUNT, type Amount } from '../core/amount.js';
import {
  orNull,
  read,
  readCoins,
  readFlag,
  readText,
  readWhole,
  readWords,
  shape,
  wrong,
  type Reader,
} from '../core/arguments.js';
import { TrueupError } from '../core/errors.js';
import { canonicalId, highestOf, possibleId } from '../mapping/ids.js';
import type { Column, ResolvedMapping, Wallet } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { sqlStateOf } from '../postgres/failures.js';
import { findWallet } from './reads/wallet.js';
import { featureOff } from './reference.js';
import * as statements from './settings-statements.js';

/** How far a wallet's balance may move. What is left out stays as it is. */
export interface WalletLimits {
  readonly allowOverdraft?: boolean | undefined;
  /** With overdraft: the balance stays at or above it (0 or below). null: no floor. */
  readonly minBalance?: Amount | null | undefined;
  /** The balance is not raised above it. null: no ceiling. */
  readonly maxBalance?: Amount | null | undefined;
}

const LIMITS = shape<WalletLimits>('the limits of a wallet', {
  allowOverdraft: readFlag,
  minBalance: orNull(readCoins),
  maxBalance: orNull(readCoins),
});

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
  limits: WalletLimits,
): Promise<void> {
  const { allowOverdraft, minBalance, maxBalance } = read(LIMITS, limits);
  await change(session, mapping, walletId, [
    ['allowOverdraft', allowOverdraft],
    ['minBalance', boundOf(mapping, 'minBalance', minBalance)],
    ['maxBalance', boundOf(mapping, 'maxBalance', maxBalance)],
  ]);
}

/** A bound as text, once it is sure that it has the right sign and that a balance could reach it. */
function boundOf(
  mapping: ResolvedMapping,
  role: 'minBalance' | 'maxBalance',
  bound: Amount | null | undefined,
): string | null | undefined {
  if (bound === null || bound === undefined) return bound;
  const coins = BigInt(bound);
  const upwards = role === 'maxBalance';
  if (upwards ? coins < 0n : coins > 0n) {
    throw wrong(`${role} has to be 0 or ${upwards ? 'above' : 'below'}`);
  }
  const highest = highestOf(mapping.wallet.balance);
  if ((upwards ? coins : -coins) > highest) {
    throw wrong(`${role} is farther from 0 than a balance can be, which is ${String(highest)}`);
  }
  return String(coins);
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
    ['frozenReason', reason === undefined ? undefined : readWords(reason, 'the reason')],
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
  const id = canonicalId(mapping.wallet.id, readText(walletId, 'walletId'));
  if (!possibleId(mapping.wallet.id, id)) throw unknownWallet(id);
  try {
    const rows = await session.query(statements.changeWallet(mapping, id, changes));
    if (rows.length === 0) throw unknownWallet(id);
  } catch (error) {
    if (sqlStateOf(error) !== '23514') throw error;
    throw new TrueupError('invalid_argument', `wallet ${id} is outside of these limits already`, {
      hint: 'Move its balance first.',
      cause: error,
    });
  }
}

function columnOf(mapping: ResolvedMapping, role: Role): Column {
  const column = mapping.wallet[role];
  if (column === undefined) throw featureOff(mapping, `wallet.${role}`);
  return column;
}

/** How much may be spent in a window of time, which begins anew at every multiple of its length. */
export interface SpendingLimitRequest {
  /** Default: every wallet. A limit of one wallet takes the place of the general one. */
  readonly walletId?: string | undefined;
  /** Default: every reason. */
  readonly reason?: string | undefined;
  /** Coins, 0 or more. */
  readonly amount: Amount;
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

const SPENDING_LIMIT = shape<SpendingLimitRequest>(
  'a spending limit',
  {
    walletId: readText,
    reason: readText,
    amount: readLimit,
    windowSeconds: readWhole(1, LONGEST_WINDOW),
  },
  ['amount', 'windowSeconds'],
);

function readLimit(...given: Parameters<Reader<bigint>>): bigint {
  const coins = readCoins(...given);
  if (coins >= 0n && coins <= MAX_AMOUNT) return coins;
  throw wrong(`a spending limit is from 0 to ${String(MAX_AMOUNT)} coins`);
}

/**
 * Sets a limit, or changes the amount of the one for the same wallet, reason and window.
 *
 * @throws TrueupError `invalid_argument`, `wallet_not_found`
 */
export async function setSpendingLimit(
  session: Queryable,
  mapping: ResolvedMapping,
  request: SpendingLimitRequest,
): Promise<SpendingLimit> {
  const { walletId, reason = null, amount, windowSeconds } = read(SPENDING_LIMIT, request);
  if (reason !== null && !Object.hasOwn(mapping.reasons, reason)) {
    throw wrong(`the registry has no reason ${JSON.stringify(reason)}`);
  }
  const id = walletId === undefined ? undefined : canonicalId(mapping.wallet.id, walletId);
  // A limit of a wallet that does not exist would be kept, and hold for nobody.
  if (id !== undefined) await findWallet(session, mapping, { walletId: id });
  const [row] = await session.query<statements.SpendingLimitRow>(
    statements.setSpendingLimit(mapping.ledger.table.quoted, {
      walletId: id ?? null,
      reason,
      amount: amount.toString(),
      windowSeconds,
    }),
  );
  if (row === undefined) throw new TrueupError('database_failed', 'the limit was not written');
  return toLimit(row);
}

/** Takes a limit away. @returns whether there was one @throws TrueupError `invalid_argument` */
export async function removeSpendingLimit(
  session: Queryable,
  mapping: ResolvedMapping,
  limitId: string,
): Promise<boolean> {
  const id = readText(limitId, 'limitId');
  const statement = statements.removeSpendingLimit(mapping.ledger.table.quoted, id);
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
