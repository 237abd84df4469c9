import type { ResolvedMapping } from '../mapping/model.js';
import { readShipped, type ShippedFunction } from '../postgres/shipped.js';
import type { TriggerDefinition } from '../sync/definition.js';
import { installCommand, type Wanted } from '../sync/options.js';
import type { TablePart } from '../sync/parts.js';
import { expectedTriggers as triggersOfMapping } from '../sync/triggers.js';
import { enableAlways } from './trigger-statements.js';

/**
 * The triggers that ought to stand, as data: doctor holds them against the catalog. Whoever adds
 * triggers to a mapping adds them here.
 */
export interface ExpectedTrigger {
  readonly schema: string;
  readonly table: string;
  /** Schema-qualified and quoted. */
  readonly quotedTable: string;
  /** The table of the mapping of which that is a partition or a child; null on that itself. */
  readonly partOf: string | null;
  readonly name: string;
  /** The statement that creates or replaces it. */
  readonly create: string;
  /** It fires in every session, whatever its replication role. */
  readonly always: boolean;
  /** Schema-qualified; quotes do not matter. */
  readonly functionName: string;
  /** The body and the statement of its function. */
  readonly body: string;
  readonly createFunction: string;
  /** The command that puts it back as it ought to be. */
  readonly remedy: string;
  /** What is open without it; undefined: it makes caches follow, and without it they drift. */
  readonly open?: string;
}

/** Why a trigger matters that does not make caches follow. */
const OPEN = {
  protection: 'The ledger is open to changes: entries can be edited, deleted and truncated.',
  guard: 'Whoever writes a cache himself is neither recorded nor kept from it.',
  number: 'Entries get no number and no running balance, and wrong ones are not refused.',
  kept: 'Rows that the ledger relies on can be changed and deleted.',
} as const;

/** Those that migrations made, by name. */
const SHIPPED_OPEN: Readonly<Record<string, string>> = {
  trueup_append_only: OPEN.protection,
  trueup_number: OPEN.number,
};

/** What puts Trueup's own functions and triggers back. */
export const RESTORE = 'trueup migrate --restore';

/** The command that installs the triggers of a mapping, or brings them up to date. */
export const INSTALL = 'trueup sync install';

/**
 * The triggers that were installed for a mapping, and those that the migrations made.
 *
 * @param parts the partitions and children of the mapping's tables
 * @param wanted what is on record as installed; undefined where nothing is: then it is the sync alone
 */
export function expectedTriggers(
  mapping: ResolvedMapping,
  parts: readonly TablePart[],
  wanted?: Wanted,
): ExpectedTrigger[] {
  const nothing: Wanted = { guard: 'off', protect: false, deferred: false };
  const command = wanted === undefined ? INSTALL : installCommand(wanted);
  return [
    ...triggersOfMapping(mapping, wanted ?? nothing, parts).flatMap((one) =>
      ofMapping(one, command),
    ),
    ...shippedTriggers(),
  ];
}

/** Of Trueup's own ledger the protection is made by a migration, and told with those. */
function ofMapping(trigger: TriggerDefinition, remedy: string): ExpectedTrigger[] {
  if (trigger.body === null) return [];
  const { schema, name, quoted } = trigger.table;
  return [
    {
      schema,
      table: name,
      quotedTable: quoted,
      partOf: trigger.partOf?.quoted ?? null,
      name: trigger.triggerName,
      create: trigger.createTrigger[0] ?? '',
      always: trigger.always,
      functionName: `trueup.${trigger.functionName}`,
      body: trigger.body,
      createFunction: trigger.createFunction[0] ?? '',
      remedy,
      ...(trigger.purpose === 'sync' ? {} : { open: OPEN[trigger.purpose] }),
    },
  ];
}

/** Those on Trueup's own tables; a table that is not there, as in adopted databases, asks for none. */
function shippedTriggers(): ExpectedTrigger[] {
  const { functions, triggers } = readShipped();
  const byName = new Map(functions.map((one) => [one.name, one]));
  return triggers.map((trigger) => {
    const made: ShippedFunction | undefined = byName.get(trigger.functionName);
    const [schema = '', table = ''] = trigger.table.split('.');
    return {
      schema,
      table,
      quotedTable: trigger.table,
      partOf: null,
      name: trigger.name,
      create: trigger.create,
      always: trigger.always,
      functionName: trigger.functionName,
      body: made?.body ?? '',
      createFunction: made?.create ?? '',
      remedy: RESTORE,
      open: SHIPPED_OPEN[trigger.name] ?? OPEN.kept,
    };
  });
}

/** The same trigger for a table that inherits from one of Trueup's own. */
export function createOn(trigger: ExpectedTrigger, table: string): string {
  const create = trigger.create
    .replace(` ON ${trigger.quotedTable}`, () => ` ON ${table}`)
    .replace(/\s+/g, ' ');
  if (!trigger.always) return create;
  return `${create}; ${enableAlways(table, trigger.name)}`;
}
