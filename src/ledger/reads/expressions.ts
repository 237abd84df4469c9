import type { Column, ResolvedMapping } from '../../mapping/model.js';

/** Pieces of SQL that the reads share. */

/** Coins as canonical text: a numeric column would print 5.00, and what is read must be whole. */
export function coins(column: Column, alias: string): string {
  const value = `${alias}.${column.quoted}`;
  return column.kind === 'numeric' ? `trim_scale(${value})::text` : `${value}::text`;
}

/** The same of a sum, which is numeric whatever was added up; nothing at all is 0. */
export function sumOfCoins(sum: string): string {
  return `trim_scale(coalesce(${sum}, 0)::numeric)::text`;
}

/** A column as text; null where the mapping has none. */
export function text(column: Column | undefined, alias: string): string {
  return column === undefined ? 'NULL' : `${alias}.${column.quoted}::text`;
}

/**
 * A time as milliseconds since 1970, cut off as a Date cuts it off. A column without a time zone is
 * read as the session's, as it was written.
 */
export function milliseconds(column: Column | undefined, alias: string): string {
  if (column === undefined) return 'NULL::float8';
  const value = `${alias}.${column.quoted}::timestamptz`;
  return `floor(extract(epoch FROM ${value}) * 1000)::float8`;
}

/** A parameter that {@link toMoment} made, as a value of a time column. */
export function moment(column: Column, parameter: string): string {
  return `${parameter}::timestamptz::${column.baseType}`;
}

/** The first and the last year that have four digits; beyond them PostgreSQL spells dates otherwise. */
const FIRST = Date.parse('0001-01-01T00:00:00Z');
const LAST = Date.parse('9999-12-31T23:59:59.999Z');

/** Milliseconds since 1970 as a time that PostgreSQL reads. */
export function toMoment(time: number): string {
  if (time < FIRST) return '-infinity';
  return time > LAST ? 'infinity' : new Date(time).toISOString();
}

/** The columns of a ledger whose entries carry number and balance, and got them under a lock. */
export interface Chain {
  readonly sequence: Column;
  readonly balanceAfter: Column;
}

/**
 * What makes the last entry of a wallet tell its balance. Undefined where balances have to be added
 * up, because nobody promises that the numbers are right.
 */
export function chainOf({ ledger, numbered }: ResolvedMapping): Chain | undefined {
  const { sequence, balanceAfter } = ledger;
  if (!numbered || sequence?.nullable !== false || balanceAfter?.nullable !== false)
    return undefined;
  return { sequence, balanceAfter };
}
