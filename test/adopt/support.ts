import { openTrueup, proposeMapping, type Mapping, type Proposals } from '../../src/index.js';
import type { TestDatabase } from '../support/database.js';

/** A proposal with the mapping that is the likeliest. */
export type Proposed = Proposals & { readonly mapping: Mapping };

/** Leaves nothing of an application in a database. */
export async function emptyDatabase(db: TestDatabase): Promise<void> {
  const schemas = await db.rows<{ name: string }>(
    `SELECT quote_ident(nspname) AS name FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'`,
  );
  for (const { name } of schemas) await db.run(`DROP SCHEMA ${name} CASCADE`);
  await db.run('CREATE SCHEMA public');
}

/** What is proposed for these tables; reconcile's dry run has to work with it. */
export async function proposed(db: TestDatabase, sql: string): Promise<Proposed> {
  await db.run(sql);
  const found = await proposeMapping({ databaseUrl: db.url });
  const mapping = found.proposals[0]?.mapping;
  if (mapping === undefined) throw new Error('nothing was proposed');
  const trueup = await openTrueup({ databaseUrl: db.url, config: mapping, readOnly: true });
  try {
    await trueup.reconcile({ all: true, dryRun: true });
  } finally {
    await trueup.close();
  }
  return { ...found, mapping };
}

/** What was said against a table. */
export function against({ runnersUp }: Proposals, table: string): string {
  return runnersUp
    .filter((one) => one.table === table)
    .flatMap((one) => one.against)
    .join('; ');
}
