import { expect, test } from 'vitest';
import { fillOwnTables } from '../../src/bench/reconcile-statements.js';
import { createDatabase } from '../support/database.js';

const db = await createDatabase('own');

function triggers(): Promise<unknown[]> {
  return db.rows(
    `SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname`,
  );
}

/** Of the ledger. */
function indexes(): Promise<unknown[]> {
  return db.rows(
    `SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid = 'trueup.entries'::regclass
      UNION SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'trueup.entries'::regclass
      ORDER BY definition`,
  );
}

test('a benchmark measures tables as they are in life: filled, in sync, every trigger and index as before', async () => {
  const before = await triggers();
  const indexed = await indexes();
  expect(before).toContainEqual({ tgname: 'trueup_append_only', tgenabled: 'A' });
  for (const { text, values } of fillOwnTables(20, 300)) await db.rows(text, [...(values ?? [])]);
  expect(await triggers()).toEqual(before);
  expect(await indexes()).toEqual(indexed);
  expect(await db.value('SELECT count(*) FROM trueup.entries')).toBe('300');
  const trueup = await db.trueup();
  expect(await trueup.reconcile({ all: true, dryRun: true })).toMatchObject({
    checked: 20,
    findings: 0,
  });
});
