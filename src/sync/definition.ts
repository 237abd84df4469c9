import type { Table } from '../mapping/model.js';

/** A trigger that has to be on a table of a mapping, and the function that it calls. */
export interface TriggerDefinition {
  /** Names it among the triggers of its ledger: `sync`, `guard wallet`, `guard profile`, ... */
  readonly key: string;
  readonly purpose: 'sync' | 'guard' | 'protection';
  readonly part: 'ledger' | 'wallet' | 'profile';
  /** The table that it is on: one of the mapping, or a part of one. */
  readonly table: Table;
  /** The table of the mapping of which {@link table} is a partition or a child; null on that itself. */
  readonly partOf: Table | null;
  /** PostgreSQL puts a trigger for each row on every partition by itself; neither kind is inherited. */
  readonly forEach: 'row' | 'statement';
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
  /** SQL that makes the trigger on its table, and enables it; empty where a migration made it. */
  readonly createTrigger: readonly string[];
  /** The same for another table of the tree. */
  readonly createTriggerOn: (quotedTable: string) => readonly string[];
}
