import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { namesOf } from './load.js';
import { lockFreeWallets, type WalletRow } from './lock-statements.js';
import { apart, itemsOf, type Unit } from './unit.js';
import { wantedBy } from './wanted.js';

/**
 * Somebody holds the lock of a wallet, and does not let go of it. Finds the units that do not wait for
 * him: all their wallets can be locked this moment. Whatever names a hold or an entry is left with the
 * others, and so is what comes after one of those and touches the same.
 */
export async function freeUnits(
  database: Database,
  mapping: ResolvedMapping,
  units: readonly Unit[],
): Promise<readonly Unit[]> {
  const wanted = wantedBy(mapping, itemsOf(units));
  const rows = await database.transaction((session) =>
    session.query<WalletRow>(lockFreeWallets(mapping, wanted)),
  );
  const free = new Set(rows.flatMap((row) => namesOf(row).map(({ reference }) => reference)));
  return apart(
    units,
    ({ touches }) => touches.every((name) => free.has(name)),
    (name) => name,
  );
}
