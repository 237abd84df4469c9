import { createHash } from 'node:crypto';
import type { Column, Profile, ResolvedMapping, Table, Wallet } from '../mapping/model.js';
import { keepsOwnTables } from '../mapping/own.js';
import { quoteIdentifier, quoteLiteral } from '../postgres/identifiers.js';
import { WRITER } from '../postgres/session.js';
import type { TriggerDefinition } from './definition.js';
import { functionName, guardTriggerName, qualified } from './names.js';
import type { Guard } from './options.js';

/**
 * The guard: what stands on the caches of a mapping and meets everybody who writes them by himself, as
 * SQL text.
 *
 * A row trigger before the update, because only there a value can be kept; and because an AFTER
 * trigger, though it never fires for the sync, costs large statements a sixth (docs/decisions/0012).
 * Whoever writes a cache for Trueup is told apart by the trigger's condition, so that nothing is
 * called for him: the sync is at a depth of its own, and Trueup's connections carry a setting.
 *
 * The trigger names no column, neither in `UPDATE OF` nor in its condition. An application could not
 * change the type of such a column any more, and another trigger may change a cache in a statement
 * that names others. So the function compares, which takes microseconds of an application's update.
 */
export function generateGuards(
  mapping: ResolvedMapping,
  mode: Exclude<Guard, 'off'>,
): TriggerDefinition[] {
  return guardedParts(mapping).map((part) => guardOf(mapping.ledger.table.quoted, part, mode));
}

interface GuardedPart {
  readonly part: 'wallet' | 'profile';
  readonly table: Table;
  readonly id: Column;
  /** The caches by the name of their field. */
  readonly caches: readonly (readonly [string, Column])[];
}

/**
 * The caches that are guarded. Pending coins only in Trueup's own tables: an adopted application may
 * set coins aside by itself in the same column.
 */
function guardedParts(mapping: ResolvedMapping): GuardedPart[] {
  const { wallet, profile } = mapping;
  const pendingBalance = keepsOwnTables(mapping) ? wallet.pendingBalance : undefined;
  const walletCaches = { ...cachesOf(wallet), pendingBalance };
  const parts: GuardedPart[] = [
    { part: 'wallet', table: wallet.table, id: wallet.id, caches: present(walletCaches) },
  ];
  if (profile !== undefined) {
    const caches = present(cachesOf(profile));
    parts.push({ part: 'profile', table: profile.table, id: profile.id, caches });
  }
  return parts.filter(({ caches }) => caches.length > 0);
}

type Caches = Readonly<Record<string, Column | undefined>>;

function cachesOf({ balance, lifetimeEarnings }: Partial<Wallet & Profile>): Caches {
  return { balance, lifetimeEarnings };
}

function present(columns: Caches): [string, Column][] {
  return Object.entries(columns).flatMap(([field, column]) =>
    column === undefined ? [] : [[field, column] as [string, Column]],
  );
}

function guardOf(
  ledger: string,
  guarded: GuardedPart,
  mode: Exclude<Guard, 'off'>,
): TriggerDefinition {
  const { part, table } = guarded;
  const trigger = guardTriggerName(ledger);
  const plainName = functionName(`guard_${part}`, ledger);
  const called = `${qualified(plainName)}()`;
  const createTriggerOn = (on: string): string[] => [
    `CREATE OR REPLACE TRIGGER ${quoteIdentifier(trigger)} BEFORE UPDATE ON ${on}
    FOR EACH ROW WHEN (pg_trigger_depth() < 1
      AND current_setting(${quoteLiteral(WRITER.setting)}, true) IS DISTINCT FROM ${quoteLiteral(WRITER.value)})
    EXECUTE FUNCTION ${called}`,
    `ALTER TABLE ${on} ENABLE TRIGGER ${quoteIdentifier(trigger)}`,
  ];
  const createTrigger = createTriggerOn(table.quoted);
  const body = guardBody(ledger, guarded, mode, fingerprint(createTrigger));
  return {
    key: `guard ${part}`,
    purpose: 'guard',
    part,
    table,
    partOf: null,
    forEach: 'row',
    triggerName: trigger,
    functionName: plainName,
    body,
    always: false,
    createFunction: [
      `CREATE OR REPLACE FUNCTION ${called} RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS ${quoteLiteral(body)}`,
      `REVOKE ALL ON FUNCTION ${called} FROM PUBLIC`,
      `COMMENT ON FUNCTION ${called} IS ${quoteLiteral(`Trueup: guards the caches of ${ledger}`)}`,
    ],
    createTrigger,
    createTriggerOn,
  };
}

function changed({ quoted }: Column): string {
  return `OLD.${quoted} IS DISTINCT FROM NEW.${quoted}`;
}

/** In the body of the function it tells a trigger of another shape, such as that of another version. */
function fingerprint(texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 16);
}

function guardBody(
  ledger: string,
  guarded: GuardedPart,
  mode: Exclude<Guard, 'off'>,
  of: string,
): string {
  const work =
    mode === 'refuse'
      ? refusal(ledger, guarded)
      : guarded.caches.map((cache) => recording(ledger, guarded, cache, mode)).join('');
  return `
-- Called by the trigger ${of}, which has let pass whatever Trueup writes itself.${
    mode === 'refuse'
      ? `
DECLARE
    what text;`
      : ''
  }
BEGIN${work}
    RETURN NEW;
END
`;
}

/** Writes down who wrote what into one cache; and keeps it as it was, where that is asked for. */
function recording(
  ledger: string,
  { part, id }: GuardedPart,
  [field, column]: readonly [string, Column],
  mode: 'keep' | 'record',
): string {
  const values = [
    quoteLiteral(ledger),
    quoteLiteral(part),
    `OLD.${id.quoted}::text`,
    quoteLiteral(field),
    `OLD.${column.quoted}::text`,
    `NEW.${column.quoted}::text`,
    quoteLiteral(mode === 'keep' ? 'kept' : 'recorded'),
  ];
  const keep = `
        NEW.${column.quoted} := OLD.${column.quoted};`;
  return `
    IF ${changed(column)} THEN
        INSERT INTO trueup.cache_writes (ledger, part, row_id, field, old_value, new_value, action)
        VALUES (${values.join(', ')});${mode === 'keep' ? keep : ''}
    END IF;`;
}

/** A refused statement takes every row with it, so what is left is a line in the server's log. */
function refusal(ledger: string, { part, table, id, caches }: GuardedPart): string {
  const told = caches.map(
    ([field, column]) =>
      `CASE WHEN ${changed(column)} THEN format('%s from %s to %s', ${quoteLiteral(field)}, ` +
      `coalesce(OLD.${column.quoted}::text, 'null'), coalesce(NEW.${column.quoted}::text, 'null')) END`,
  );
  return `
    IF ${caches.map(([, column]) => changed(column)).join(' OR ')} THEN
        what := format('%s of %s %s of %s', concat_ws(', ', ${told.join(',\n            ')}),
                       ${quoteLiteral(part)}, OLD.${id.quoted}, ${quoteLiteral(ledger)});
        RAISE LOG 'Trueup refused that role % (application %) sets %',
                  quote_ident(session_user), quote_literal(current_setting('application_name')), what;
        RAISE EXCEPTION USING ERRCODE = 'TU007',
            MESSAGE = 'the ledger decides, so nobody else sets ' || what,
            HINT = 'Insert an entry into the ledger, and the caches follow. What is wrong already: trueup reconcile.',
            SCHEMA = ${quoteLiteral(table.schema)}, TABLE = ${quoteLiteral(table.name)};
    END IF;`;
}
