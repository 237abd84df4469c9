import { functionName } from '../sync/names.js';
import { readParts } from '../sync/parts.js';
import { readTriggers, tablesOf } from '../sync/triggers.js';
import { createOn, INSTALL, RESTORE } from './expected.js';
import { error, info, orOk, warning, type Context, type Examine, type Verdict } from './model.js';
import { standing } from './standing.js';
import * as statements from './trigger-statements.js';

/**
 * Trees of partitions and of inheritance. Statement triggers fire for the table that a statement names:
 * rows that go to a part directly, or come into this one through its parent, pass them. Row triggers are
 * on every partition too, and not on tables that inherit.
 */

/** Parts on which a trigger is missing that stands on the whole, such as a partition attached since. */
async function passed(context: Context): Promise<Verdict[]> {
  const all = await standing(context);
  const whole = new Set(
    all.flatMap(({ wanted, found }) =>
      wanted.partOf === null && found.enabled !== null
        ? [`${wanted.quotedTable} ${wanted.name}`]
        : [],
    ),
  );
  return all.flatMap(({ wanted: { partOf, quotedTable, name, remedy }, found }) =>
    partOf !== null && found.enabled === null && whole.has(`${partOf} ${name}`)
      ? [error(`rows written to ${quotedTable} directly pass ${name} of ${partOf}`, remedy)]
      : [],
  );
}

/** Tables with triggers of this ledger that are no part of it any more, such as a detached partition. */
async function strays({ session, mapping, expected }: Context): Promise<Verdict[]> {
  const parts = await readParts(session, mapping);
  const places = new Set([...tablesOf(mapping), ...parts].map(({ oid }) => oid));
  const sync = functionName('sync', mapping.ledger.table.quoted);
  const remedy = expected[0]?.remedy ?? INSTALL;
  return (await readTriggers(session, mapping))
    .filter(({ tableOid }) => !places.has(tableOid))
    .map(({ table, name, functionName: called }) =>
      called === sync
        ? error(
            `trigger ${name} counts the rows of ${table}, which is no part of the ledger`,
            remedy,
          )
        : warning(`trigger ${name} is on ${table}, which is no part of the mapped tables`, remedy),
    );
}

/** Foreign parts: PostgreSQL lets no trigger stand there that sees the rows of a statement. */
async function unreachable({ session, mapping }: Context): Promise<Verdict[]> {
  const { oid, quoted } = mapping.ledger.table;
  return (await readParts(session, mapping))
    .filter(({ root, foreign }) => root === oid && foreign)
    .map((part) =>
      info(`${part.quoted} is a foreign table: what is written to it directly passes ${quoted}`),
    );
}

/** Parents of mapped tables, and tables that inherit from Trueup's own, on which installing puts nothing. */
async function aroundThem({ session, expected }: Context): Promise<Verdict[]> {
  const problems: Verdict[] = [];
  for (const trigger of expected.filter(({ partOf }) => partOf === null)) {
    const ofRows = !trigger.create.includes('FOR EACH STATEMENT');
    const related = await session.query<statements.RelatedRow>(
      statements.relatedTables(trigger.schema, trigger.table),
    );
    for (const { table, relation, partition: isPartition, functions } of related) {
      if (functions.includes(trigger.functionName.replaceAll('"', ''))) continue;
      if (ofRows && (isPartition || relation === 'parent')) continue;
      if (relation === 'parent') {
        problems.push(
          error(
            `rows that come through ${table} pass ${trigger.name} of ${trigger.quotedTable}`,
            `name ${table} as ledger.table in the mapping, then: ${INSTALL}`,
          ),
        );
      } else if (trigger.remedy === RESTORE) {
        problems.push(
          error(
            `rows written to ${table} directly pass ${trigger.name} of ${trigger.quotedTable}`,
            createOn(trigger, table),
          ),
        );
      }
    }
  }
  return problems;
}

export const partition: Examine = async (context) =>
  orOk(
    [
      ...(await passed(context)),
      ...(await strays(context)),
      ...(await unreachable(context)),
      ...(await aroundThem(context)),
    ],
    'no other table of a tree passes the triggers by',
  );
