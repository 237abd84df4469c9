import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import * as catalog from '../mapping/statements.js';
import type { Queryable } from '../postgres/database.js';
import { splitTableName } from '../postgres/identifiers.js';
import type { TriggerDefinition } from './definition.js';
import { functionNames } from './names.js';
import * as statements from './statements.js';

/** Installations on other ledgers that write the same caches: each would undo what the other does. */

/** Caches that another installed ledger decides as well. */
export interface SharedCaches {
  /** The other ledger, schema-qualified and quoted. */
  readonly ledger: string;
  /** `"schema"."table"."column"`. */
  readonly columns: readonly string[];
}

/**
 * Finds the installations that stand on other ledgers and write caches of this mapping. Needs SELECT on
 * trueup.sync_installations; without that right, or without the table, none is known.
 */
export async function sharedCaches(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<SharedCaches[]> {
  const [records] = await session.query<{ readable: boolean }>(statements.installationsReadable);
  if (records?.readable !== true) return [];
  const others = await session.query<statements.OtherInstallationRow>(
    statements.otherInstallations(mapping.ledger.table.quoted, mapping.ledger.table.oid),
  );
  const own = new Map(cachesOf(mapping));
  const shared: SharedCaches[] = [];
  for (const { ledger, mapping: other } of others) {
    const columns: string[] = [];
    for (const part of [other.wallet, other.profile]) {
      const oid = part === undefined ? undefined : await oidOf(session, part.table);
      for (const column of [part?.balance, part?.lifetimeEarnings]) {
        const name = own.get(`${oid ?? ''} ${column ?? ''}`);
        if (name !== undefined) columns.push(name);
      }
    }
    if (columns.length > 0) shared.push({ ledger, columns });
  }
  return shared;
}

/** @throws TrueupError `mapping_mismatch` where another installed ledger decides the same caches */
export async function refuseSharedCaches(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<void> {
  const [other] = await sharedCaches(session, mapping);
  if (other === undefined) return;
  throw new TrueupError(
    'mapping_mismatch',
    `the sync of ${other.ledger} is installed and decides ${other.columns.join(', ')} already: ` +
      `with ${mapping.ledger.table.quoted} beside it each would overwrite what the other keeps`,
    {
      hint: `Give each ledger caches of its own, or take the other one away with its mapping: trueup sync remove --config FILE`,
    },
  );
}

/**
 * Two ledgers of which one is a part of the other would take the same place on that table: whoever came
 * last would end what the other one follows. The functions of a ledger that was renamed are its own.
 *
 * @throws TrueupError `mapping_mismatch`
 */
export function refuseForeignParts(
  mapping: ResolvedMapping,
  expected: readonly TriggerDefinition[],
  found: readonly statements.TriggerRow[],
): void {
  const ledger = mapping.ledger.table;
  const own = new Set([
    ...functionNames(ledger.quoted),
    ...found.filter(({ tableOid }) => tableOid === ledger.oid).map((row) => row.functionName),
  ]);
  const other = found.find(
    (row) =>
      row.ofTrueup &&
      !own.has(row.functionName) &&
      expected.some(
        ({ partOf, table, triggerName }) =>
          partOf !== null && table.oid === row.tableOid && triggerName === row.name,
      ),
  );
  if (other === undefined) return;
  throw new TrueupError(
    'mapping_mismatch',
    `${other.table} is a part of ${ledger.quoted}, and has the trigger ${other.name} of a sync of its own: ` +
      'each would end what the other follows',
    { hint: 'Take that one away with its mapping: trueup sync remove --config FILE' },
  );
}

/** The caches that the triggers and a repair write, by the oid of their table and their name. */
function cachesOf({ wallet, profile }: ResolvedMapping): [string, string][] {
  return [wallet, profile].flatMap((part) =>
    [part?.balance, part?.lifetimeEarnings].flatMap((column): [string, string][] =>
      part === undefined || column === undefined
        ? []
        : [[`${part.table.oid} ${column.name}`, `${part.table.quoted}.${column.quoted}`]],
    ),
  );
}

async function oidOf(session: Queryable, name: string): Promise<string | undefined> {
  const { schema, table } = splitTableName(name);
  const [row] = await session.query<catalog.TableRow>(catalog.findTable(schema, table));
  return row?.oid;
}
