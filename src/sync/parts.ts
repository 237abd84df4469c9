import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import type { TriggerDefinition } from './definition.js';
import * as statements from './statements.js';

/** The partitions of a table, and the tables that inherit from it: rows may be written to each directly. */

export type TablePart = statements.PartRow;

/** Reads the parts of the tables of a mapping. They come and go while Trueup is open. */
export async function readParts(
  session: Queryable,
  { ledger, wallet, profile }: ResolvedMapping,
): Promise<readonly TablePart[]> {
  const roots = [ledger, wallet, profile].flatMap((one) => (one ? [one.table.oid] : []));
  return session.query<statements.PartRow>(statements.partsOf(roots));
}

/** The same trigger on each part of its table on which PostgreSQL does not put it by itself. */
export function onParts(
  trigger: TriggerDefinition,
  parts: readonly TablePart[],
): TriggerDefinition[] {
  if (trigger.createTrigger.length === 0) return [];
  return parts
    .filter((part) => part.root === trigger.table.oid && needsItsOwn(trigger, part))
    .map((part) => ({
      ...trigger,
      key: `${trigger.key} on ${part.quoted}`,
      table: part,
      partOf: trigger.table,
      createTrigger: trigger.createTriggerOn(part.quoted),
    }));
}

/** A statement that names the whole fires the statement triggers of the whole, and of no part. */
function needsItsOwn({ forEach }: TriggerDefinition, part: TablePart): boolean {
  // A foreign table cannot hand a statement's rows to a trigger; doctor tells it.
  return forEach === 'row' ? !part.partition : !part.foreign;
}
