import type { Catalog, CatalogTable } from '../catalog.js';
import type { ClosedTable } from '../../postgres/grant-statements.js';
import { propose } from './proposal.js';
import { tableName } from './runners-up.js';

/** Whether it is only rights that keep a mapping from being proposed. */

/**
 * The tables that would be proposed if this role might read them, and that it may not. Everybody may
 * read the catalog, so what they are is known all the same.
 */
export function closedTables(catalog: Catalog): ClosedTable[] {
  if (catalog.every(isOpen)) return [];
  const [best] = propose(catalog.map(opened)).proposals;
  const wanted = new Set(best?.parts.map(({ table }) => table));
  return catalog
    .filter((table) => wanted.has(tableName(table)) && !isOpen(table))
    .map((table) => ({ ...table, selectable: isSelectable(table) }));
}

function isOpen(table: CatalogTable): boolean {
  return table.readable && isSelectable(table);
}

function isSelectable({ columns }: CatalogTable): boolean {
  return columns.every(({ readable }) => readable);
}

function opened(table: CatalogTable): CatalogTable {
  const columns = table.columns.map((column) => ({ ...column, readable: true }));
  return { ...table, columns, readable: true };
}
