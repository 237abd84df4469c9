import type { Database } from './database.js';
import { readMigrations, type Migration } from './migrate.js';
import * as statements from './statements.js';

/** The functions and triggers that the migrations leave behind, read from their text. */

/** A function of the schema trueup. */
export interface ShippedFunction {
  /** Schema-qualified, such as `trueup.number_entry`. */
  readonly name: string;
  /** What stands between its dollar signs: pg_proc.prosrc. */
  readonly body: string;
  /** The statement that creates or replaces it. */
  readonly create: string;
}

/** A trigger on a table of the schema trueup. */
export interface ShippedTrigger {
  readonly name: string;
  /** Schema-qualified, such as `trueup.entries`. */
  readonly table: string;
  /** The statement that creates or replaces it. */
  readonly create: string;
  /** It fires in every session, whatever its replication role. */
  readonly always: boolean;
  readonly functionName: string;
}

export interface Shipped {
  readonly functions: readonly ShippedFunction[];
  readonly triggers: readonly ShippedTrigger[];
}

const FUNCTION =
  /CREATE (?:OR REPLACE )?FUNCTION (trueup\.\w+)(\([^)]*\)[^$;]*AS\s+)\$\$([^]*?)\$\$;/g;
const TRIGGER_WORK =
  /CREATE (?:OR REPLACE )?TRIGGER (\w+)([^;]*?) ON (trueup\.\w+)([^;]*?EXECUTE FUNCTION (trueup\.\w+)\(\));|DROP TRIGGER (?:IF EXISTS )?(\w+) ON (trueup\.\w+);|ALTER TABLE (trueup\.\w+)\s+(ENABLE ALWAYS TRIGGER[^;]*);/g;

/** Reads what the migrations leave: of a function or trigger that several make, the last one. */
export function readShipped(migrations: readonly Migration[] = readMigrations()): Shipped {
  const functions = new Map<string, ShippedFunction>();
  const triggers = new Map<string, ShippedTrigger>();
  for (const { text } of migrations) {
    const plain = text.replace(/^\s*--.*$/gm, '');
    for (const [, name = '', head = '', body = ''] of text.matchAll(FUNCTION)) {
      const create = `CREATE OR REPLACE FUNCTION ${name}${head}$$${body}$$`;
      functions.set(name, { name, body, create });
    }
    for (const match of plain.replace(FUNCTION, '').matchAll(TRIGGER_WORK)) {
      follow(triggers, match);
    }
  }
  return { functions: [...functions.values()], triggers: [...triggers.values()] };
}

function follow(triggers: Map<string, ShippedTrigger>, match: RegExpExecArray): void {
  const [, name, before = '', table = '', after = '', functionName = ''] = match;
  const [dropped, droppedFrom, altered, changes] = match.slice(6);
  if (name !== undefined) {
    const create = `CREATE OR REPLACE TRIGGER ${name}${before} ON ${table}${after}`;
    triggers.set(`${table} ${name}`, { name, table, create, always: false, functionName });
  } else if (dropped !== undefined) {
    triggers.delete(`${droppedFrom ?? ''} ${dropped}`);
  } else {
    for (const [, always = ''] of (changes ?? '').matchAll(/ENABLE ALWAYS TRIGGER (\w+)/g)) {
      const key = `${altered ?? ''} ${always}`;
      const trigger = triggers.get(key);
      if (trigger !== undefined) triggers.set(key, { ...trigger, always: true });
    }
  }
}

/**
 * Puts the functions and triggers of the schema trueup back as the migrations made them, in one
 * transaction. What belongs to tables that this database does not have is left out. No row is touched.
 *
 * @returns the names of the triggers that were put back
 * @throws TrueupError `permission_denied`, `database_failed` (55P03: a table was busy for too long)
 */
export async function restoreShipped(database: Database): Promise<string[]> {
  const { functions, triggers } = readShipped();
  return database.transaction(
    async (session) => {
      await session.query(statements.lockMigrations);
      const here: ShippedTrigger[] = [];
      for (const trigger of triggers) {
        const [row] = await session.query<{ exists: boolean }>(
          statements.tableExists(trigger.table),
        );
        if (row?.exists === true) here.push(trigger);
      }
      const calledElsewhere = new Set(triggers.map(({ functionName }) => functionName));
      for (const { functionName } of here) calledElsewhere.delete(functionName);
      for (const { name, create } of functions) {
        if (calledElsewhere.has(name)) continue;
        await session.query({ text: create });
        await session.query(statements.closeFunction(name));
      }
      for (const { name, table, create, always } of here) {
        await session.query({ text: create });
        await session.query(statements.enableTrigger(table, name, always));
      }
      return here.map(({ name, table }) => `${name} of ${table}`);
    },
    { settings: { lock_timeout: '1s' }, retries: 5 },
  );
}
