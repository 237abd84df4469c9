import { rightsOf, shapeOf } from './definition.js';
import { INSTALL, RESTORE, type ExpectedTrigger } from './expected.js';
import { partition } from './parts.js';
import { nameOf, standing } from './standing.js';
import { readShipped } from '../postgres/shipped.js';
import {
  because,
  error,
  info,
  ok,
  orOk,
  warning,
  type Context,
  type Examine,
  type Verdict,
} from './model.js';
import { sharedCaches } from '../sync/others.js';
import * as statements from './trigger-statements.js';

/** Checks of the triggers that ought to stand, and of what comes in their way. */

const present: Examine = async (context) => {
  const all = (await standing(context)).filter(({ wanted }) => wanted.partOf === null);
  return orOk(
    all
      .filter(({ found }) => found.enabled === null)
      .map(({ wanted }) =>
        because(wanted.open, error(`${nameOf(wanted)} is missing`, wanted.remedy)),
      ),
    `all ${String(all.length)} triggers are there`,
  );
};

const enabled: Examine = async (context) => {
  const off = (await standing(context)).filter(({ found }) => found.enabled === 'D');
  const replica = (await standing(context)).filter(({ found }) => found.enabled === 'R');
  const keys = await context.session.query<statements.DisabledKeyRow>(
    statements.disabledForeignKeys(tablesOf(context)),
  );
  return orOk(
    [
      ...off.map(({ wanted }) =>
        because(wanted.open, error(`${nameOf(wanted)} is disabled`, wanted.remedy)),
      ),
      ...replica.map(({ wanted }) =>
        because(
          wanted.open,
          error(`${nameOf(wanted)} fires only in sessions of replication`, wanted.remedy),
        ),
      ),
      ...keys.map(({ table, keys: names, remedy }) =>
        warning(`foreign keys of ${table} are switched off: ${names}`, remedy),
      ),
    ],
    'they are switched on',
  );
};

const mode: Examine = async (context) =>
  orOk(
    (await standing(context)).flatMap(({ wanted, found }): Verdict[] => {
      if (found.enabled === 'A' && !wanted.always) {
        return [
          warning(
            `${nameOf(wanted)} is ENABLE ALWAYS: it also fires in restores and replication`,
            wanted.remedy,
          ),
        ];
      }
      if (found.enabled === 'O' && wanted.always) {
        return [
          error(
            `${nameOf(wanted)} is not ENABLE ALWAYS: sessions of replication pass it`,
            wanted.remedy,
          ),
        ];
      }
      return [];
    }),
    'they fire in the sessions in which they should',
  );

const unchanged: Examine = async (context) => {
  const { session } = context;
  const triggers = (await standing(context)).filter(({ found }) => found.enabled !== null);
  const problems = triggers.flatMap(({ wanted, found }) => {
    const change = changeOf(wanted, found);
    return change === undefined
      ? []
      : [because(wanted.open, error(`${nameOf(wanted)}: ${change}`, wanted.remedy))];
  });
  const bodies = new Map(
    (await session.query<statements.FunctionRow>(statements.functionsOfTrueup)).map(
      ({ name, body }) => [name, body] as const,
    ),
  );
  // The functions of triggers were told with their triggers.
  const told = new Set(triggers.map(({ wanted }) => wanted.functionName));
  const altered = readShipped().functions.filter(
    ({ name, body }) => !told.has(name) && bodies.has(name) && bodies.get(name) !== body,
  );
  return orOk(
    [...problems, ...altered.map(({ name }) => error(`function ${name} was altered`, RESTORE))],
    'they and their functions are as they were made',
  );
};

/** What differs between a trigger as it ought to be and as it is; undefined if nothing does. */
function changeOf(wanted: ExpectedTrigger, found: statements.TriggerRow): string | undefined {
  if (found.functionName !== wanted.functionName.replaceAll('"', '')) {
    return `it calls ${String(found.functionName)}, not ${wanted.functionName}`;
  }
  if (found.body !== wanted.body) return 'the body of its function is another one';
  const rights = rightsOf(wanted.createFunction);
  const path = found.config?.find((setting) => setting.startsWith('search_path='));
  if (
    found.definer !== rights.definer ||
    (path?.slice('search_path='.length).replace(/[\s"]/g, '') ?? null) !== rights.searchPath
  ) {
    return 'its function has other rights or another search_path';
  }
  const [asked, is] = [shapeOf(wanted.create), shapeOf(found.definition ?? '')];
  return asked.type === is.type &&
    asked.when === is.when &&
    asked.columns === is.columns &&
    asked.transitionTables === is.transitionTables
    ? undefined
    : 'it fires at other moments than it should';
}

const CHANGES = ['UPDATE', 'DELETE', 'TRUNCATE'] as const;

const appendOnly: Examine = async ({ session, mapping, own }) => {
  const { table } = mapping.ledger;
  const [row] = await session.query<statements.AppendOnlyRow>(statements.refusedChanges(table.oid));
  const open = CHANGES.filter((change) => row?.refused.includes(change) !== true);
  if (open.length === 0) return [ok(`${table.quoted} is append-only`)];
  const what = `${open.join(', ')} of ${table.quoted} is not refused`;
  return [own ? error(what, RESTORE) : info(what, `${INSTALL} --protect`)];
};

const foreign: Examine = async (context) => {
  const rows = await context.session.query<statements.ForeignTriggerRow>(
    statements.foreignTriggers(tablesOf(context)),
  );
  const caches = cachesOf(context);
  const others = await sharedCaches(context.session, context.mapping);
  return orOk(
    [
      ...others.map(({ ledger, columns }) =>
        error(
          `the sync of ${ledger} is installed and decides ${columns.join(', ')} as well`,
          `with the mapping of ${ledger}: trueup sync remove`,
        ),
      ),
      ...rows
        .filter(({ source }) => caches.some((cache) => writes(source, cache)))
        .map(({ trigger, table, functionName, remedy }) =>
          warning(
            `trigger ${trigger} of ${table} calls ${functionName}, which writes caches`,
            remedy,
          ),
        ),
    ],
    'no other trigger seems to write the caches',
  );
};

/** Whether the source of a function assigns to a column, as far as its text tells. */
function writes(source: string, column: string): boolean {
  const name = column.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const inUpdate = `\\bSET\\b[^;]*(?<![\\w"])"?${name}"?(?!\\w)[^;]*=`;
  const field = `\\bNEW\\s*\\.\\s*"?${name}"?(?!\\w)`;
  const inRow = `${field}\\s*:=|(?:^|;|>>|\\b(?:BEGIN|THEN|ELSE|LOOP))\\s*${field}\\s*=|\\bINTO\\s+(?:STRICT\\s+)?${field}`;
  const code = source.replace(/--.*$|\/\*[\s\S]*?\*\//gm, ' ');
  return new RegExp(`${inUpdate}|${inRow}`, 'im').test(code);
}

const rule: Examine = async (context) =>
  orOk(
    (await context.session.query<statements.RuleRow>(statements.rules(tablesOf(context)))).map(
      ({ rule: name, table, remedy }) =>
        warning(`rule ${name} rewrites statements on ${table}`, remedy),
    ),
    'no rule rewrites what is written',
  );

/** The oids of the tables of a mapping. */
export function tablesOf({ mapping }: Pick<Context, 'mapping'>): string[] {
  const { ledger, wallet, profile } = mapping;
  return [
    ledger.table.oid,
    wallet.table.oid,
    ...(profile === undefined ? [] : [profile.table.oid]),
  ];
}

function cachesOf({ mapping: { wallet, profile } }: Context): string[] {
  return [wallet, profile].flatMap((part) =>
    [part?.balance?.name, part?.lifetimeEarnings?.name].filter((name) => name !== undefined),
  );
}

export const triggerChecks = {
  trigger_present: present,
  trigger_enabled: enabled,
  trigger_mode: mode,
  trigger_unchanged: unchanged,
  append_only: appendOnly,
  partition,
  foreign_trigger: foreign,
  rule,
} as const;
