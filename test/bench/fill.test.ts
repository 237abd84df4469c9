import { expect, test } from 'vitest';
import { fillOwnTables } from '../../src/bench/statements.js';
import { createDatabase } from '../support/database.js';

const db = await createDatabase('own');

function triggers(): Promise<unknown[]> {
  return db.rows(
    `SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname`,
  );
}

test('a benchmark measures tables as they are in life: filled, in sync, every trigger as before', async () => {
  const before = await triggers();
  expect(before).toContainEqual({ tgname: 'trueup_append_only', tgenabled: 'A' });
  for (const { text, values } of fillOwnTables(20, 300)) await db.rows(text, [...(values ?? [])]);
  expect(await triggers()).toEqual(before);
  expect(await db.value('SELECT count(*) FROM trueup.entries')).toBe('300');
  const trueup = await db.trueup();
  expect(await trueup.reconcile({ all: true, dryRun: true })).toMatchObject({
    checked: 20,
    findings: 0,
  });
});
