import type { Table } from '../mapping/model.js';

/** A trigger that has to be on a table of a mapping, and the function that it calls. */
export interface TriggerDefinition {
  /** Names it among the triggers of its ledger: `sync`, `guard wallet`, `guard profile`, ... */
  readonly key: string;
  readonly purpose: 'sync' | 'guard' | 'protection';
  readonly part: 'ledger' | 'wallet' | 'profile';
  readonly table: Table;
  /** As the catalog has it, not quoted. */
  readonly triggerName: string;
  /** Of the schema `trueup`; as the catalog has it, not quoted. */
  readonly functionName: string;
  /** The body of the function (pg_proc.prosrc); null where a migration made it, which is not compared. */
  readonly body: string | null;
  /** It also fires in sessions that skip ordinary triggers (ENABLE ALWAYS). */
  readonly always: boolean;
  /** SQL that makes the function; empty where a migration made it. */
  readonly createFunction: readonly string[];
  /** SQL that makes the trigger on its table, and enables it. */
  readonly createTrigger: readonly string[];
}
