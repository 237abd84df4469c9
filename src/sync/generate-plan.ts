import type { ResolvedMapping } from '../mapping/model.js';
import type { Mapping } from '../mapping/schema.js';
import { quoteIdentifier, quoteLiteral } from '../postgres/identifiers.js';
import type { TriggerDefinition } from './definition.js';
import { functionName, functionNames, qualified } from './names.js';
import type { Wanted } from './options.js';
import { PRINTED, type TriggerRow } from './statements.js';
import { tablesOf } from './triggers.js';

/**
 * The SQL of an installation and of a removal, as text without parameters: what `--plan` prints is
 * what is run, to the letter. From the first lock on it goes to the server in one message, so that
 * writers wait for the commit and for no round trip.
 */
export interface Change {
  /** Takes no lock on a table of the application. */
  readonly before: readonly string[];
  /** Locks, triggers and records. */
  readonly locked: readonly string[];
}

/** What a plan is made from. */
export interface Situation {
  readonly mapping: ResolvedMapping;
  /** The triggers of Trueup that are there. */
  readonly found: readonly TriggerRow[];
  /** In which order the tables are locked: a number that {@link lockOrder} takes. */
  readonly attempt: number;
}

/** A lock that lets everybody read, and nobody write. CREATE TRIGGER takes no more. */
const WRITERS_WAIT = 'SHARE ROW EXCLUSIVE';
/** What DROP TRIGGER takes. */
const ALL_WAIT = 'ACCESS EXCLUSIVE';

/** Makes the triggers of a mapping be these and no others, and writes that down. */
export function planInstallation(
  situation: Situation,
  expected: readonly TriggerDefinition[],
  options: { readonly source: Mapping; readonly wanted: Wanted },
): Change {
  const { mapping, found } = situation;
  const ledger = mapping.ledger.table.quoted;
  const made = expected.filter(({ createTrigger }) => createTrigger.length > 0);
  const leftOver = ofThisLedger(mapping, found).filter(
    (row) => !made.some((one) => one.table.oid === row.tableOid && one.triggerName === row.name),
  );
  const kept = new Set(made.map((one) => one.functionName));
  return {
    before: [...new Set(made.flatMap(({ createFunction }) => createFunction))],
    locked: [
      ...locks(situation, made, leftOver),
      ...made.flatMap(({ createTrigger }) => createTrigger),
      ...leftOver.map(dropTrigger),
      ...functionNames(ledger)
        .filter((name) => !kept.has(name))
        .map(dropFunction),
      ...recordGap(mapping, found),
      recordInstallation(ledger, made, options),
    ],
  };
}

/**
 * Writes down which wallets hold coins and have no entry, before their first entry makes them look like
 * wallets with a wrong balance. It reads wallets and ledger, so it runs before anything is locked.
 */
export function recordOpenings({ ledger, wallet }: ResolvedMapping): string {
  const id = `w.${wallet.id.quoted}`;
  return `INSERT INTO trueup.opening_balances AS o (ledger, wallet_id, balance)
SELECT ${quoteLiteral(ledger.table.quoted)}, ${id}::text, w.${wallet.balance.quoted}
  FROM ${wallet.table.quoted} AS w
 WHERE w.${wallet.balance.quoted} <> 0
   AND NOT EXISTS (SELECT FROM ${ledger.table.quoted} AS e WHERE e.${ledger.wallet.quoted} = ${id})
    ON CONFLICT (ledger, wallet_id) DO UPDATE SET balance = excluded.balance, recorded_at = clock_timestamp()`;
}

/** Takes every trigger and every function of a ledger away, and writes that down where it can be. */
export function planRemoval(situation: Situation, recordsExist: boolean): Change {
  const { mapping, found } = situation;
  const ledger = mapping.ledger.table.quoted;
  const ours = ofThisLedger(mapping, found);
  const stood = syncOf(mapping, ours) !== undefined;
  return {
    before: [],
    locked: [
      ...locks(situation, [], ours),
      ...ours.map(dropTrigger),
      ...functionNames(ledger).map(dropFunction),
      ...(recordsExist ? recordRemoval(ledger, stood) : []),
    ],
  };
}

function ofThisLedger(mapping: ResolvedMapping, found: readonly TriggerRow[]): TriggerRow[] {
  const names = functionNames(mapping.ledger.table.quoted);
  return found.filter((row) => row.ofTrueup && names.includes(row.functionName));
}

/**
 * The orders in which tables can be locked. Whoever has written one of them and waits for another that
 * is locked here would make a circle with this transaction, which then gives up. That cannot happen
 * where the tables are locked in the order in which the application writes them: the one of an entry,
 * or that of an application which sets its caches first. So each attempt takes the next order.
 */
const ORDERS = [
  [0, 1, 2],
  [1, 0, 2],
  [2, 1, 0],
] as const;

/** The tables of a mapping in the order of an attempt. */
export function lockOrder(mapping: ResolvedMapping, attempt: number): string[] {
  const tables = tablesOf(mapping);
  const order = ORDERS[attempt % ORDERS.length] ?? ORDERS[0];
  return order.flatMap((place) => tables[place]?.quoted ?? []);
}

/** A lock on a table is one on its partitions and children too; they are named for what they need beyond. */
function locks(
  { mapping, attempt }: Situation,
  made: readonly TriggerDefinition[],
  dropped: readonly TriggerRow[],
): string[] {
  const written = made.map(({ table }) => table.quoted);
  const dropping = dropped.map(({ table, tableOid }) => nameOf(mapping, table, tableOid));
  const order = lockOrder(mapping, attempt);
  const others = [...written, ...dropping].filter((table) => !order.includes(table)).sort();
  return [...new Set([...order, ...others])].flatMap((table) => {
    if (dropping.includes(table)) return [`LOCK TABLE ${table} IN ${ALL_WAIT} MODE`];
    return written.includes(table) ? [`LOCK TABLE ${table} IN ${WRITERS_WAIT} MODE`] : [];
  });
}

/** A table of the mapping is always called as the mapping spells it. */
function nameOf(mapping: ResolvedMapping, table: string, oid: string): string {
  return tablesOf(mapping).find((one) => one.oid === oid)?.quoted ?? table;
}

function dropTrigger({ name, table }: TriggerRow): string {
  return `DROP TRIGGER ${quoteIdentifier(name)} ON ${table}`;
}

function dropFunction(name: string): string {
  return `DROP FUNCTION IF EXISTS ${qualified(name)}()`;
}

/** The trigger that follows the whole ledger; those of its parts are beside it. */
function syncOf(
  { ledger: { table } }: ResolvedMapping,
  found: readonly TriggerRow[],
): TriggerRow | undefined {
  const sync = functionName('sync', table.quoted);
  return found.find(
    (row) => row.ofTrueup && row.tableOid === table.oid && row.functionName === sync,
  );
}

/** If the triggers were gone, and nobody had noticed: a gap that ends now. Every open gap ends now. */
function recordGap(mapping: ResolvedMapping, found: readonly TriggerRow[]): string[] {
  const ledger = quoteLiteral(mapping.ledger.table.quoted);
  const standing = syncOf(mapping, found);
  const what =
    standing === undefined ? 'missing' : 'OA'.includes(standing.enabled) ? undefined : 'disabled';
  const unnoticed = `INSERT INTO trueup.sync_gaps (ledger, what, last_seen_at)
SELECT i.ledger, ${quoteLiteral(what ?? '')}, i.installed_at FROM trueup.sync_installations AS i
 WHERE i.ledger = ${ledger} AND i.removed_at IS NULL
    ON CONFLICT (ledger) WHERE ended_at IS NULL DO NOTHING`;
  return [
    ...(what === undefined ? [] : [unnoticed]),
    `UPDATE trueup.sync_gaps SET ended_at = clock_timestamp() WHERE ledger = ${ledger} AND ended_at IS NULL`,
  ];
}

function recordInstallation(
  ledger: string,
  made: readonly TriggerDefinition[],
  { source, wanted }: { readonly source: Mapping; readonly wanted: Wanted },
): string {
  const triggers = made.map(
    (one) =>
      `(${quoteLiteral(one.key)}, ${quoteLiteral(one.table.quoted)}::regclass, ${quoteLiteral(one.triggerName)})`,
  );
  const values = [
    quoteLiteral(ledger),
    quoteLiteral(JSON.stringify(source)),
    quoteLiteral(qualified(functionName('sync', ledger))),
    quoteLiteral(wanted.guard),
    String(wanted.protect),
    String(wanted.deferred),
  ];
  return `INSERT INTO trueup.sync_installations AS i (ledger, mapping, function_name, guard, protected, deferred, triggers)
SELECT ${values.join(', ')},
       jsonb_object_agg(m.key, ${PRINTED})
  FROM (VALUES ${triggers.join(',\n               ')}) AS m (key, relation, name)
  JOIN pg_trigger AS t ON t.tgrelid = m.relation AND t.tgname = m.name
    ON CONFLICT (ledger) DO UPDATE
   SET mapping = excluded.mapping, function_name = excluded.function_name, guard = excluded.guard,
       protected = excluded.protected, deferred = excluded.deferred, triggers = excluded.triggers,
       installed_by = session_user, installed_at = clock_timestamp(), removed_at = NULL`;
}

/** The triggers stood until now, so now a gap begins. */
function recordRemoval(ledger: string, stood: boolean): string[] {
  const name = quoteLiteral(ledger);
  const gap = `INSERT INTO trueup.sync_gaps (ledger, what, last_seen_at) VALUES (${name}, 'missing', clock_timestamp())
    ON CONFLICT (ledger) WHERE ended_at IS NULL DO NOTHING`;
  return [
    ...(stood ? [gap] : []),
    `UPDATE trueup.sync_installations SET removed_at = clock_timestamp() WHERE ledger = ${name}`,
  ];
}
