import { SYNC_TRIGGER } from '../mapping/names.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { keepsOwnTables } from '../mapping/own.js';
import type { Queryable } from '../postgres/database.js';
import type { TriggerDefinition } from './definition.js';
import { generateGuards } from './generate-guard.js';
import { generateProtection, ownProtection } from './generate-protection.js';
import { generateSync } from './generate.js';
import { functionName, functionNames } from './names.js';
import type { Wanted } from './options.js';
import { onParts, type TablePart } from './parts.js';
import * as statements from './statements.js';

/** The state of one trigger. `changed`: it, or its function, is not what was installed or is asked for. */
export type TriggerState = 'installed' | 'missing' | 'disabled' | 'changed';

/** A trigger that has to be there, and how it is. */
export interface TriggerStatus {
  /**
   * `sync`, `guard wallet`, `guard profile`, `protection`, `protection_all`; on a partition or a table that
   * inherits the same with the table behind it: `sync on app.ledger_2026`.
   */
  readonly key: string;
  readonly purpose: TriggerDefinition['purpose'];
  /** Schema-qualified and quoted. */
  readonly table: string;
  /** The table of the mapping of which that is a partition or a child; null where it is that itself. */
  readonly partOf: string | null;
  readonly trigger: string;
  readonly state: TriggerState;
}

/**
 * Every trigger that Trueup expects for a mapping with these options, in the order in which their
 * tables are locked: those of the ledger, the wallet and the profile, and then those of their parts. Pure.
 *
 * @param parts the partitions and children of these tables, which need triggers of their own
 */
export function expectedTriggers(
  mapping: ResolvedMapping,
  wanted: Wanted,
  parts: readonly TablePart[],
): TriggerDefinition[] {
  const own = keepsOwnTables(mapping);
  const whole = [
    syncTrigger(mapping, wanted),
    ...(own ? ownProtection(mapping) : wanted.protect ? generateProtection(mapping) : []),
    ...(wanted.guard === 'off' ? [] : generateGuards(mapping, wanted.guard)),
  ];
  return [...whole, ...whole.flatMap((trigger) => onParts(trigger, parts))];
}

function syncTrigger(mapping: ResolvedMapping, { deferred }: Wanted): TriggerDefinition {
  const made = generateSync(mapping, { deferred });
  const { body, createFunction, createTrigger, createTriggerOn } = made;
  return {
    key: 'sync',
    purpose: 'sync',
    part: 'ledger',
    table: mapping.ledger.table,
    partOf: null,
    forEach: 'statement',
    triggerName: SYNC_TRIGGER,
    functionName: functionName('sync', mapping.ledger.table.quoted),
    body,
    always: false,
    createFunction,
    createTrigger,
    createTriggerOn,
  };
}

/**
 * Reads the triggers on the tables of a mapping and on these parts of them, and wherever else the functions
 * of its sync are called.
 */
export function readTriggers(
  session: Queryable,
  mapping: ResolvedMapping,
  parts: readonly TablePart[] = [],
): Promise<readonly statements.TriggerRow[]> {
  return session.query<statements.TriggerRow>(
    statements.triggersOf(
      [...tablesOf(mapping), ...parts].map(({ oid }) => oid),
      functionNames(mapping.ledger.table.quoted),
    ),
  );
}

/** The trigger that follows the ledger, as the catalog has it. */
export async function syncTriggerOf(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<statements.TriggerRow | undefined> {
  const { oid } = mapping.ledger.table;
  const rows = await readTriggers(session, mapping);
  return rows.find(({ tableOid, name }) => tableOid === oid && name === SYNC_TRIGGER);
}

/** Whether the trigger that follows the ledger stands and fires; what its function does is not looked at. */
export async function syncStands(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<'standing' | 'missing' | 'disabled'> {
  const trigger = await syncTriggerOf(session, mapping);
  if (trigger === undefined) return 'missing';
  return trigger.enabled === 'O' || trigger.enabled === 'A' ? 'standing' : 'disabled';
}

/**
 * Compares triggers with what is expected.
 *
 * @param recorded how PostgreSQL printed them when they were installed, by their keys; a trigger
 *   without such a record is compared by its function alone
 */
export function statesOf(
  expected: readonly TriggerDefinition[],
  found: readonly statements.TriggerRow[],
  recorded: Readonly<Record<string, string>>,
): TriggerStatus[] {
  return expected.map((one) => {
    const row = found.find(
      ({ tableOid, name }) => tableOid === one.table.oid && name === one.triggerName,
    );
    return {
      key: one.key,
      purpose: one.purpose,
      table: one.table.quoted,
      partOf: one.partOf?.quoted ?? null,
      trigger: one.triggerName,
      state: stateOf(one, row, recorded[one.key]),
    };
  });
}

/** What every function of Trueup is set to. */
const SETTINGS = 'search_path=pg_catalog, pg_temp';

function stateOf(
  expected: TriggerDefinition,
  row: statements.TriggerRow | undefined,
  recorded: string | undefined,
): TriggerState {
  if (row === undefined) return 'missing';
  if ((row.enabled !== 'O' && row.enabled !== 'A') || row.partDisabled) return 'disabled';
  const same =
    row.ofTrueup &&
    row.functionName === expected.functionName &&
    (expected.body === null || row.body === expected.body) &&
    row.definer === (expected.purpose !== 'protection') &&
    row.settings === SETTINGS &&
    (row.enabled === 'A' || !expected.always) &&
    (recorded === undefined || recorded === row.definition);
  return same ? 'installed' : 'changed';
}

/** The tables of a mapping in the order in which an entry writes them. */
export function tablesOf(mapping: ResolvedMapping): ResolvedMapping['ledger']['table'][] {
  const { ledger, wallet, profile } = mapping;
  return [ledger.table, wallet.table, ...(profile === undefined ? [] : [profile.table])];
}
