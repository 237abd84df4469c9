import type { ExpectedTrigger } from './expected.js';
import type { Context } from './model.js';
import * as statements from './trigger-statements.js';

/** A trigger that ought to stand, and what the catalog has in its place. */
export interface Standing {
  readonly wanted: ExpectedTrigger;
  readonly found: statements.TriggerRow;
}

/** The expected triggers whose table exists, each with what the catalog has. */
export async function standing({ session, expected }: Context): Promise<Standing[]> {
  const rows = await session.query<statements.TriggerRow>(statements.triggersOf(expected));
  return expected.flatMap((wanted, place) => {
    const found = rows[place];
    return found?.tableExists === true ? [{ wanted, found }] : [];
  });
}

export function nameOf({ name, quotedTable }: ExpectedTrigger): string {
  return `trigger ${name} of ${quotedTable}`;
}
