import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe } from 'vitest';
import type { TestDatabase } from '../support/database.js';
import { makeFolder } from '../support/folder.js';

const ROOT = resolve(import.meta.dirname, '../..');

/** A folder of `../shared/examples`, which lies beside the project and not in it. */
export interface Example {
  readonly folder: string;
  readonly config: string;
  readonly missing: boolean;
  /** describe, or (where the folder is missing) a describe that skips and says why. */
  readonly describe: (name: string, tests: () => void) => void;
  read(file: string): Buffer;
}

export function example(name: string): Example {
  const folder = resolve(ROOT, '../shared/examples', name);
  const missing = !existsSync(folder);
  return {
    folder,
    missing,
    config: join(folder, 'trueup.config.json'),
    describe: (title, tests) => {
      const note = missing ? ` (skipped: there is no folder ../shared/examples/${name})` : '';
      describe.skipIf(missing)(`${title}${note}`, tests);
    },
    read: (file) => readFileSync(join(folder, file)),
  };
}

/** A folder for the files of one test file. */
export function temporaryFolder(): string {
  const folder = makeFolder('cli-files');
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Writes a mapping file, from an object or as the very text. */
export function writeConfig(folder: string, name: string, content: object | string): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

/**
 * Everything that a command could have changed in a database, as lines: every row with the
 * transaction that wrote it, every table, sequence, trigger and function.
 */
export async function contents(db: TestDatabase): Promise<string[]> {
  const tables = await db.rows<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1`,
  );
  const rows = await Promise.all(
    tables.map(async ({ name }) => {
      const hash = await db.value(
        `SELECT md5(coalesce(string_agg(t.xmin::text || t::text, ';' ORDER BY t::text), '')) FROM ${name} t`,
      );
      return `table ${name} ${hash}`;
    }),
  );
  const others = await db.rows<{ line: string }>(
    `SELECT 'trigger ' || tgname || tgenabled::text AS line FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL
     SELECT 'function ' || p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname !~ '^(pg_|information_schema)'
      UNION ALL
     SELECT format('sequence %s.%s %s', schemaname, sequencename, last_value) FROM pg_sequences
      UNION ALL
     SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'
      ORDER BY 1`,
  );
  return [...rows, ...others.map(({ line }) => line)];
}

/** Whether Trueup has made its schema there. */
export function hasTrueup(db: TestDatabase): Promise<boolean> {
  return db.value<boolean>(`SELECT to_regnamespace('trueup') IS NOT NULL`);
}

/** What Node prints of an error that nobody has caught. */
export const STACK_TRACE = /^\s+at .*[:(]|Unhandled|node:internal/m;
