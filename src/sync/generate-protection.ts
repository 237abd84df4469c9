import type { ResolvedMapping } from '../mapping/model.js';
import { quoteIdentifier, quoteLiteral } from '../postgres/identifiers.js';
import type { TriggerDefinition } from './definition.js';
import { functionName, qualified } from './names.js';

/**
 * What makes an adopted ledger append-only for every role, also in sessions that skip ordinary
 * triggers, as SQL text.
 *
 * UPDATE and DELETE are refused row by row, unlike in Trueup's own ledger: an ORM that deletes a user
 * without entries sends a DELETE that meets no row, an upsert that meets no conflict counts as an
 * UPDATE statement, and both do no harm.
 */
export function generateProtection(mapping: ResolvedMapping): TriggerDefinition[] {
  const { quoted: ledger } = mapping.ledger.table;
  const name = functionName('protect', ledger);
  const called = `${qualified(name)}()`;
  const createFunction = [
    `CREATE OR REPLACE FUNCTION ${called} RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS ${quoteLiteral(BODY)}`,
    `REVOKE ALL ON FUNCTION ${called} FROM PUBLIC`,
    `COMMENT ON FUNCTION ${called} IS ${quoteLiteral(`Trueup: keeps ${ledger} append-only`)}`,
  ];
  const trigger = (
    suffix: string,
    events: string,
    forEach: TriggerDefinition['forEach'],
  ): TriggerDefinition => {
    const triggerName = `trueup_append_only${suffix}`;
    const createTriggerOn = (table: string): string[] => [
      `CREATE OR REPLACE TRIGGER ${quoteIdentifier(triggerName)} BEFORE ${events} ON ${table} FOR EACH ${forEach.toUpperCase()} EXECUTE FUNCTION ${called}`,
      `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${quoteIdentifier(triggerName)}`,
    ];
    return {
      key: `protection${suffix}`,
      purpose: 'protection',
      part: 'ledger',
      table: mapping.ledger.table,
      partOf: null,
      forEach,
      triggerName,
      functionName: name,
      body: BODY,
      always: true,
      createFunction,
      createTrigger: createTriggerOn(ledger),
      createTriggerOn,
    };
  };
  return [trigger('', 'UPDATE OR DELETE', 'row'), trigger('_all', 'TRUNCATE', 'statement')];
}

/** The triggers that keep Trueup's own ledger as it is: migrations made them. */
export function ownProtection({ ledger }: ResolvedMapping): TriggerDefinition[] {
  return [
    {
      key: 'protection',
      purpose: 'protection',
      part: 'ledger',
      table: ledger.table,
      partOf: null,
      forEach: 'statement',
      triggerName: 'trueup_append_only',
      functionName: 'refuse_ledger_change',
      body: null,
      always: true,
      createFunction: [],
      createTrigger: [],
      createTriggerOn: () => [],
    },
  ];
}

const BODY = `
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TU003',
        MESSAGE = format('%s of %I.%I is refused: the ledger is append-only',
                         TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
        HINT = 'Post a correcting entry instead.';
END
`;
