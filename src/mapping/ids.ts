import type { Column } from './model.js';

const INTEGER = /^(0|-?[1-9][0-9]{0,18})$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The highest number that an integer type holds; the lowest is one more below zero. */
const HIGHEST: Readonly<Record<string, bigint>> = {
  smallint: 32_767n,
  integer: 2_147_483_647n,
  bigint: 9_223_372_036_854_775_807n,
};

/** Whether a column could hold this id, spelled as PostgreSQL would print it. */
export function possibleId(column: Column | undefined, id: string | undefined): id is string {
  if (column === undefined || id === undefined || id.includes('\0')) return false;
  if (column.kind === 'uuid') return UUID.test(id);
  if (column.kind !== 'integer') return true;
  const highest = highestOf(column);
  return INTEGER.test(id) && BigInt(id) <= highest && BigInt(id) >= -highest - 1n;
}

/**
 * An id as PostgreSQL would print it, where that is a matter of spelling only: a uuid in lower case.
 * Whether it is an id at all, {@link possibleId} says.
 */
export function canonicalId(column: Column | undefined, id: string): string {
  return column?.kind === 'uuid' ? id.toLowerCase() : id;
}

/** The highest whole number that a column holds, as far as its type tells. */
export function highestOf(column: Column): bigint {
  return HIGHEST[column.baseType] ?? HIGHEST['bigint'] ?? 0n;
}
