import type { Statement } from '../postgres/database.js';
import { quoteIdentifier } from '../postgres/identifiers.js';

/** What the catalog says about triggers, functions and rules. Names go in as values, never as text. */

export interface TriggerRow {
  readonly tableExists: boolean;
  /** pg_trigger.tgenabled: O origin, A always, R replica only, D disabled; null: there is none. */
  readonly enabled: string | null;
  readonly definition: string | null;
  readonly functionName: string | null;
  readonly body: string | null;
  readonly definer: boolean | null;
  readonly config: readonly string[] | null;
}

/** One row for each trigger that is asked for, in that order. */
export function triggersOf(
  wanted: readonly { schema: string; table: string; name: string }[],
): Statement {
  return {
    text: `SELECT c.oid IS NOT NULL AS "tableExists", t.tgenabled::text AS enabled,
                  pg_get_triggerdef(t.oid) AS definition, f.nspname || '.' || p.proname AS "functionName",
                  p.prosrc AS body, p.prosecdef AS definer, p.proconfig AS config
             FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS e (schema, tbl, trg, place)
             LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
                    ON n.nspname = e.schema AND c.relname = e.tbl
             LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = e.trg AND NOT t.tgisinternal
             LEFT JOIN pg_proc p ON p.oid = t.tgfoid
             LEFT JOIN pg_namespace f ON f.oid = p.pronamespace
            ORDER BY e.place`,
    values: [
      wanted.map(({ schema }) => schema),
      wanted.map(({ table }) => table),
      wanted.map(({ name }) => name),
    ],
  };
}

export interface FunctionRow {
  readonly name: string;
  readonly body: string;
}

/** The functions of the schema trueup, by name. */
export const functionsOfTrueup: Statement = {
  text: `SELECT 'trueup.' || p.proname AS name, p.prosrc AS body
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'trueup'`,
};

export interface DisabledKeyRow {
  readonly table: string;
  readonly keys: string;
  readonly remedy: string;
}

/** Tables whose foreign keys are not checked, because their inner triggers are switched off. */
export function disabledForeignKeys(tables: readonly string[]): Statement {
  return {
    text: `SELECT format('%I.%I', n.nspname, c.relname) AS table,
                  string_agg(DISTINCT k.conname::text, ', ') AS keys,
                  format('ALTER TABLE %I.%I ENABLE TRIGGER ALL', n.nspname, c.relname) AS remedy
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_constraint k ON k.oid = t.tgconstraint
            WHERE t.tgrelid = ANY ($1::oid[]) AND t.tgisinternal AND t.tgenabled = 'D'
            GROUP BY n.nspname, c.relname ORDER BY 1`,
    values: [tables],
  };
}

export interface ForeignTriggerRow {
  readonly tableOid: string;
  readonly table: string;
  readonly trigger: string;
  readonly functionName: string;
  readonly source: string;
  readonly remedy: string;
}

/** The triggers of others on these tables, with the source of their functions. */
export function foreignTriggers(tables: readonly string[]): Statement {
  return {
    text: `SELECT c.oid::text AS "tableOid", format('%I.%I', n.nspname, c.relname) AS table,
                  t.tgname AS trigger, format('%I.%I', f.nspname, p.proname) AS "functionName",
                  p.prosrc AS source,
                  format('ALTER TABLE %I.%I DISABLE TRIGGER %I', n.nspname, c.relname, t.tgname) AS remedy
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
            WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
              AND f.nspname <> 'trueup'
            ORDER BY c.relname, t.tgname`,
    values: [tables],
  };
}

export interface RuleRow {
  readonly table: string;
  readonly rule: string;
  readonly remedy: string;
}

/** Rules on these tables, but for those that make a view. */
export function rules(tables: readonly string[]): Statement {
  return {
    text: `SELECT format('%I.%I', n.nspname, c.relname) AS table, r.rulename AS rule,
                  format('DROP RULE %I ON %I.%I', r.rulename, n.nspname, c.relname) AS remedy
             FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE r.ev_class = ANY ($1::oid[]) AND r.rulename <> '_RETURN' AND r.ev_enabled <> 'D'
              AND r.ev_type <> '1'
            ORDER BY c.relname, r.rulename`,
    values: [tables],
  };
}

export interface AppendOnlyRow {
  /** UPDATE, DELETE and TRUNCATE, as far as a trigger of Trueup refuses them. */
  readonly refused: readonly string[];
}

/** Which changes of the ledger are refused by triggers of Trueup that are switched on. */
export function refusedChanges(ledgerOid: string): Statement {
  return {
    text: `SELECT coalesce(array_agg(DISTINCT e.event) FILTER (WHERE e.event IS NOT NULL), '{}') AS refused
             FROM pg_trigger t
             JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
             LEFT JOIN (VALUES (8, 'DELETE'), (16, 'UPDATE'), (32, 'TRUNCATE')) AS e (bit, event)
                    ON t.tgtype & e.bit <> 0
            WHERE t.tgrelid = $1::oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
              AND t.tgtype & 2 <> 0 AND t.tgqual IS NULL AND t.tgattr::text = ''
              AND f.nspname = 'trueup' AND (p.proname LIKE 'refuse%' OR p.proname LIKE 'protect%')`,
    values: [ledgerOid],
  };
}

export interface RelatedRow {
  readonly table: string;
  /** child: rows may be written to it directly; parent: rows may come through it. */
  readonly relation: 'child' | 'parent';
  /** PostgreSQL puts the row triggers of the whole on it by itself. */
  readonly partition: boolean;
  /** The names of the functions of its triggers that are switched on. */
  readonly functions: readonly string[];
}

/** The tables below and above one in a tree of partitions or inheritance. */
export function relatedTables(schema: string, table: string): Statement {
  return {
    text: `WITH RECURSIVE root AS (
             SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = $1 AND c.relname = $2
           ), below AS (
             SELECT i.inhrelid AS oid FROM pg_inherits i JOIN root r ON i.inhparent = r.oid
              UNION
             SELECT i.inhrelid FROM pg_inherits i JOIN below b ON i.inhparent = b.oid
           ), above AS (
             SELECT i.inhparent AS oid FROM pg_inherits i JOIN root r ON i.inhrelid = r.oid
              UNION
             SELECT i.inhparent FROM pg_inherits i JOIN above a ON i.inhrelid = a.oid
           )
           SELECT format('%I.%I', n.nspname, c.relname) AS table, x.relation, c.relispartition AS partition,
                  ARRAY(SELECT f.nspname || '.' || p.proname FROM pg_trigger t
                          JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
                         WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')) AS functions
             FROM (SELECT oid, 'child' AS relation FROM below
                    UNION ALL SELECT oid, 'parent' FROM above) AS x
             JOIN pg_class c ON c.oid = x.oid AND (x.relation = 'child' OR c.relkind = 'p')
             JOIN pg_namespace n ON n.oid = c.relnamespace
            ORDER BY x.relation, c.relname`,
    values: [schema, table],
  };
}

/** Has a trigger fire in every session. The table comes quoted. */
export function enableAlways(table: string, trigger: string): string {
  return `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${quoteIdentifier(trigger)}`;
}
