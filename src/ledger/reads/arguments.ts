import { TrueupError } from '../../core/errors.js';
import type { WalletReference } from '../../core/posting/request.js';
import type { Column, ResolvedMapping } from '../../mapping/model.js';

/** What callers may ask of the reads. What is wrong here is an error of the caller's program. */

/** A time from which and a time before which: `from <= createdAt < to`. Either end may be open. */
export interface TimeRange {
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** @throws TrueupError `invalid_argument`, `feature_off` */
export function checkReference(mapping: ResolvedMapping, reference: WalletReference): void {
  const { walletId, userId, currency } = reference;
  if ((walletId === undefined) === (userId === undefined)) {
    throw wrong('name either walletId or userId');
  }
  checkText('walletId', walletId);
  checkText('userId', userId);
  checkText('currency', currency);
  if (userId !== undefined && mapping.profile?.user === undefined) {
    throw featureOff(mapping, 'profile.user', 'or give walletId');
  }
  if (currency !== undefined && mapping.wallet.currency === undefined) {
    throw featureOff(mapping, 'wallet.currency');
  }
}

/** @throws TrueupError `invalid_argument` */
export function checkText(name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'string' || value === '') throw wrong(`${name} has to be text`);
}

/** @throws TrueupError `invalid_argument` */
export function checkLimit(limit: number, most: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return;
  throw wrong(`the limit is ${String(limit)}: give a whole number from 1 to ${String(most)}`);
}

/** @throws TrueupError `invalid_argument` */
export function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === 'string' && allowed.includes(value)) return;
  throw wrong(`${name} is ${JSON.stringify(value)}: give ${allowed.join(' or ')}`);
}

/** @throws TrueupError `invalid_argument` */
export function checkDate(name: string, date: unknown): void {
  if (date instanceof Date && !Number.isNaN(date.getTime())) return;
  throw wrong(`${name} has to be a valid Date`);
}

/** @throws TrueupError `invalid_argument`, `feature_off` where the ledger records no times */
export function checkRange(mapping: ResolvedMapping, { from, to }: TimeRange): void {
  if (from === undefined && to === undefined) return;
  timeOf(mapping);
  if (from !== undefined) checkDate('from', from);
  if (to !== undefined) checkDate('to', to);
  if (from !== undefined && to !== undefined && from > to) throw wrong('from is after to');
}

/**
 * The column of the entries' times.
 *
 * @throws TrueupError `feature_off`
 */
export function timeOf(mapping: ResolvedMapping): Column {
  const column = mapping.ledger.createdAt;
  if (column === undefined) throw featureOff(mapping, 'ledger.createdAt');
  return column;
}

/** The error that names the column which the mapping would need, as `part.role`. */
export function featureOff(
  { ledger, wallet, profile }: ResolvedMapping,
  role: string,
  or = 'or do without',
): TrueupError {
  const part = [ledger, wallet, profile].find((_, index) => role.startsWith(PARTS[index] ?? ''));
  const place = part === undefined ? 'the profile table' : part.table.quoted;
  return new TrueupError('feature_off', `the mapping names no ${role}`, {
    hint: `Name a column of ${place} for ${role}, ${or}.`,
  });
}

const PARTS = ['ledger.', 'wallet.', 'profile.'];

export function wrong(message: string): TrueupError {
  return new TrueupError('invalid_argument', message);
}
