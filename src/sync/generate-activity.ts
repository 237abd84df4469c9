import { EVENT_TYPES } from '../mapping/activity.js';
import type { Activity, Column, ResolvedMapping } from '../mapping/model.js';
import { quoteLiteral } from '../postgres/identifiers.js';

/**
 * The part of a sync function that writes an application's events: one for each entry of a user, in the
 * entry's commit, as a set. Whatever keeps it from that is caught and recorded, and the coins move all
 * the same. SQL text out.
 */

/** How long the activity table may be waited for, and each row when a set had to be taken apart. */
const LOCK_TIMEOUT = '250ms';
const SINGLE_LOCK_TIMEOUT = '20ms';

/** SQLSTATE classes of what lies in one event, so that the others can still be written. */
const FAULTS_OF_ONE_EVENT = '^(22|23|44|P0)';

/** Where the parts of an event are to be had, as SQL. */
interface EventSource {
  readonly entry: string;
  readonly amount: string;
  readonly wallet: string;
  readonly user: string;
  readonly reason: string;
  readonly after: string;
  readonly at: string;
}

/** The entries (alias e) of users (profile p), and what an event is made of. */
function sourceOf({ ledger, profile }: ResolvedMapping): EventSource {
  const of = (column: Column | undefined): string =>
    column === undefined ? 'NULL' : `e.${column.quoted}`;
  return {
    entry: of(ledger.id),
    amount: of(ledger.amount),
    wallet: of(ledger.wallet),
    user: `p.${profile?.user?.quoted ?? ''}`,
    reason: of(ledger.reason),
    after: of(ledger.balanceAfter),
    at: of(ledger.createdAt),
  };
}

/** `FROM ... WHERE ...`: the entries of users, out of some relation that looks like the ledger. */
export function eventsFrom({ ledger, wallet, profile }: ResolvedMapping, entries: string): string {
  return `FROM ${entries} AS e
                  JOIN ${wallet.table.quoted} AS w ON w.${wallet.id.quoted} = e.${ledger.wallet.quoted}
                  JOIN ${profile?.table.quoted ?? ''} AS p ON p.${profile?.id.quoted ?? ''} = w.${profile?.link.quoted ?? ''}
                 WHERE e.${ledger.amount.quoted} <> 0 AND p.${profile?.user?.quoted ?? ''} IS NOT NULL`;
}

/** Writes the events of some entries. */
export function insertEvents(
  mapping: ResolvedMapping,
  activity: Activity,
  entries: string,
): string {
  const values = eventColumns(mapping, activity, sourceOf(mapping));
  return `${insertInto(activity, values)}
                SELECT ${values.map(({ value }) => value).join(', ')}
                  ${eventsFrom(mapping, entries)}`;
}

/** Whether the event of an entry is there, whoever wrote it. */
export function eventExists(activity: Activity, entry: string): string {
  const types = [EVENT_TYPES.earned, EVENT_TYPES.spent].map(quoteLiteral).join(', ');
  const model =
    activity.sourceModel === undefined
      ? ''
      : ` AND a.${activity.sourceModel.quoted} = ${quoteLiteral(activity.source)}`;
  return `EXISTS (SELECT FROM ${activity.table.quoted} AS a
                     WHERE a.${activity.sourceId.quoted} = ${entry}::${activity.sourceId.baseType}
                       AND a.${activity.type.quoted} IN (${types})${model})`;
}

interface Assignment {
  readonly column: Column;
  readonly value: string;
}

function insertInto({ table }: Activity, values: readonly Assignment[]): string {
  return `INSERT INTO ${table.quoted} (${values.map(({ column }) => column.quoted).join(', ')})`;
}

/** `occurredAt` is the entry's own time; `createdAt` is that too, unless both are named. */
function eventColumns(
  mapping: ResolvedMapping,
  activity: Activity,
  from: EventSource,
): Assignment[] {
  const time = mapping.ledger.createdAt === undefined ? 'now()' : `coalesce(${from.at}, now())`;
  const all: readonly (readonly [Column | undefined, string])[] = [
    [isFilled(activity.id) ? undefined : activity.id, newId(activity.id)],
    [activity.user, from.user],
    [
      activity.type,
      `CASE WHEN ${from.amount} > 0 THEN '${EVENT_TYPES.earned}' ELSE '${EVENT_TYPES.spent}' END`,
    ],
    [activity.sourceModel, quoteLiteral(activity.source)],
    [activity.sourceId, `${from.entry}::${activity.sourceId.baseType}`],
    [activity.metadata, metadata(mapping, activity, from)],
    [activity.occurredAt, time],
    [activity.createdAt, activity.occurredAt === undefined ? time : 'now()'],
  ];
  return all.flatMap(([column, value]) => (column === undefined ? [] : [{ column, value }]));
}

/** The database fills it by itself. */
function isFilled(id: Column | undefined): boolean {
  return id?.identity === true || typeof id?.defaultSql === 'string';
}

function newId(id: Column | undefined): string {
  return id?.kind === 'uuid' ? 'gen_random_uuid()' : 'gen_random_uuid()::text';
}

/** The amount without its sign, which the type tells; the balance after it where the ledger knows it. */
function metadata({ ledger }: ResolvedMapping, activity: Activity, from: EventSource): string {
  const coins = (column: Column | undefined, value: string): string =>
    column?.kind === 'numeric' ? `trim_scale(${value})` : value;
  const members = [
    `'amount', ${coins(ledger.amount, `abs(${from.amount})`)}`,
    ...(ledger.reason === undefined ? [] : [`'reason', ${from.reason}`]),
    `'wallet_id', ${from.wallet}`,
    ...(ledger.balanceAfter === undefined
      ? []
      : [`'balance_after', ${coins(ledger.balanceAfter, from.after)}`]),
  ];
  const type = activity.metadata?.baseType === 'json' ? '::json' : '';
  return `jsonb_strip_nulls(jsonb_build_object(${members.join(', ')}))${type}`;
}

/** The block at the end of a sync function. It declares what it needs, and nothing else knows of it. */
export function activityBlock(mapping: ResolvedMapping): string {
  const { activity, ledger } = mapping;
  if (activity === undefined) return '';
  const key = quoteLiteral(ledger.table.quoted);
  return `
    IF entries > 0 THEN
        DECLARE
            callers_patience text := current_setting('lock_timeout');
            patience         text;
            event            record;
            failed_state     text;
            failed_message   text;
        BEGIN
            BEGIN
                patience := set_config('lock_timeout', '${LOCK_TIMEOUT}', true);
                ${insertEvents(mapping, activity, 'new_entries')};${checkNow(activity)}
                patience := set_config('lock_timeout', callers_patience, true);
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS failed_state = RETURNED_SQLSTATE, failed_message = MESSAGE_TEXT;
            END;${oneByOne(mapping, activity, key)}
            IF failed_state IS NOT NULL THEN
                PERFORM trueup.record_activity_failures(${key}, array_agg(e.${ledger.id.quoted}::text), failed_state, failed_message)
                   FROM new_entries AS e WHERE e.${ledger.wallet.quoted} IS NOT NULL AND e.${ledger.amount.quoted} <> 0;
            END IF;
        END;
    END IF;`;
}

/** One event must not keep the others from being written. An event that is there already is no failure. */
function oneByOne(mapping: ResolvedMapping, activity: Activity, key: string): string {
  const source = sourceOf(mapping);
  const names = Object.keys(source) as (keyof EventSource)[];
  const record = Object.fromEntries(
    names.map((name) => [name, `event."${name}"`]),
  ) as unknown as EventSource;
  const values = eventColumns(mapping, activity, record);
  return `
            IF failed_state ~ '${FAULTS_OF_ONE_EVENT}' THEN
                BEGIN
                    FOR event IN
                SELECT ${names.map((name) => `${source[name]} AS "${name}"`).join(', ')}
                  ${eventsFrom(mapping, 'new_entries')}
                    LOOP
                        BEGIN
                            patience := set_config('lock_timeout', '${SINGLE_LOCK_TIMEOUT}', true);
                            ${insertInto(activity, values)}
                            VALUES (${values.map(({ value }) => value).join(', ')});${checkNow(activity)}
                            patience := set_config('lock_timeout', callers_patience, true);
                        EXCEPTION WHEN OTHERS THEN
                            GET STACKED DIAGNOSTICS failed_state = RETURNED_SQLSTATE, failed_message = MESSAGE_TEXT;
                            IF failed_state <> '23505' OR NOT ${eventExists(activity, 'event."entry"')} THEN
                                PERFORM trueup.record_activity_failures(${key}, ARRAY[event."entry"::text], failed_state, failed_message);
                            END IF;
                        END;
                    END LOOP;
                    failed_state := NULL;
                EXCEPTION WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS failed_state = RETURNED_SQLSTATE, failed_message = MESSAGE_TEXT;
                END;
            END IF;`;
}

/** What would be checked at the commit is checked here, where it can be caught: the commit belongs to the coins. */
function checkNow({ deferredConstraints: names }: Activity): string {
  if (names.length === 0) return '';
  const all = names.join(', ');
  return `
                SET CONSTRAINTS ${all} IMMEDIATE;
                SET CONSTRAINTS ${all} DEFERRED;`;
}
