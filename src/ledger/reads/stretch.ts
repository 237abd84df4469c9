import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import { chainOf } from './expressions.js';
import { entriesOf, type EntryRow, type Stretch } from './history-statements.js';

/**
 * Reads a page of entries at a cost that does not grow with the wallet's history, as long as nothing
 * is filtered. An index over wallet and order promises that only if the planner takes it; where it
 * underrates a wallet it sorts the whole of it. Numbers leave it no choice: they follow each other, so
 * the page lies between two of them. Should numbers be missing, the page is read once more without.
 */
export async function readStretch(
  session: Queryable,
  mapping: ResolvedMapping,
  stretch: Stretch & { readonly limit: number },
): Promise<readonly EntryRow[]> {
  if (isDense(mapping, stretch)) {
    const rows = await session.query<EntryRow>(entriesOf(mapping, { ...stretch, near: true }));
    if (rows.length === stretch.limit || isLast(rows, stretch)) return rows;
  }
  return session.query<EntryRow>(entriesOf(mapping, stretch));
}

function isDense(mapping: ResolvedMapping, { reasons, sign, from, to }: Stretch): boolean {
  const filters = [reasons, sign, from, to];
  return chainOf(mapping) !== undefined && filters.every((filter) => filter === undefined);
}

/** Whether a short page is short because the entries end there. */
function isLast(rows: readonly EntryRow[], { order, beyond, upTo }: Stretch): boolean {
  const last = rows.at(-1)?.position[0] ?? beyond?.[0];
  if (order === 'newest') return last === undefined || last === '1';
  return upTo !== undefined && last === upTo[0];
}
