import { readWords, show, wrong } from '../../core/arguments.js';
import type { Column, ResolvedMapping } from '../../mapping/model.js';
import { featureOff } from '../reference.js';

/** What callers may ask of the reads. What is wrong here is an error of the caller's program. */

/** A time from which and a time before which: `from <= createdAt < to`. Either end may be open. */
export interface TimeRange {
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/**
 * Reads a time, as a copy.
 *
 * @throws TrueupError `invalid_argument`
 */
export function readDate(value: unknown, name: string, whose: string): Date {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return new Date(value);
  throw wrong(`${name} of ${whose} has to be a valid Date, not ${show(value)}`);
}

/** The readers of a time range. */
export const RANGE = { from: readDate, to: readDate };

/** The text of a cursor; readCursor judges it. */
export const readToken = (value: unknown, name: string, whose: string): string | null =>
  value === null ? null : readWords(value, name, whose);

/** @throws TrueupError `invalid_argument`, `feature_off` where the ledger records no times */
export function checkRange(mapping: ResolvedMapping, { from, to }: TimeRange): void {
  if (from === undefined && to === undefined) return;
  timeOf(mapping);
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
