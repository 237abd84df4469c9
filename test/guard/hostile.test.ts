import { expect, test } from 'vitest';
import { GUARDS } from '../../src/index.js';
import { createHostile, HOSTILE_KINDS } from '../support/awkward.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

/** Names that try to be SQL, in plan, install, guard, protection, status and remove. */

const db = await createDatabase('empty');

/** Everything there is in the database besides Trueup's own schema, but for the rows. */
function things(of: TestDatabase): Promise<Record<string, string>[]> {
  return of.rows(`
    SELECT 'relation' AS kind, oid::regclass::text AS name FROM pg_class WHERE relnamespace NOT IN (
      SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'trueup'))
    UNION ALL SELECT 'trigger', tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid NOT IN (
      SELECT oid FROM pg_class WHERE relnamespace = 'trueup'::regnamespace)
    UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc WHERE pronamespace >= 16384
    UNION ALL SELECT 'comment', description FROM pg_description WHERE objoid >= 16384
    UNION ALL SELECT 'right', relname || relacl::text FROM pg_class WHERE relacl IS NOT NULL AND oid >= 16384
    ORDER BY 1, 2`);
}

test.each(Array.from({ length: HOSTILE_KINDS }, (_, n) => n))('names of kind %i', async (n) => {
  const { mapping, ledger, wallet, profile, column } = await createHostile(db, n);
  const trueup = await db.trueup({ config: mapping });
  const before = await things(db);
  for (const guard of GUARDS) {
    const planned = await trueup.planSync({ guard, protect: true });
    expect(await things(db)).toEqual(before);
    // What was printed is a script, and does what installing does.
    await db.run(planned);
    expect(await trueup.syncStatus()).toMatchObject({ state: 'installed', guard, protected: true });
    const scripted = await things(db);
    await trueup.installSync({ guard, protect: true });
    expect(await things(db)).toEqual(scripted);
    const status = await trueup.syncStatus();
    expect(status.triggers.filter(({ state }) => state !== 'installed')).toEqual([]);
    expect(status.triggers).toHaveLength(guard === 'off' ? 3 : 5);

    const app = await db.connect();
    await app.query(`INSERT INTO ${ledger} (${column('w')}, ${column('a')}) VALUES (1, 5)`);
    for (const table of [wallet, profile]) {
      const written = app.query(`UPDATE ${table} SET ${column('b')} = 4711, other = 'x'`);
      if (guard === 'refuse') await expect(written).rejects.toMatchObject({ code: 'TU007' });
      else await written;
    }
    await expect(app.query(`DELETE FROM ${ledger}`)).rejects.toMatchObject({ code: 'TU003' });
    await app.end();
    expect(await db.value('SELECT count(*) FROM public.x')).toBe('0');

    if (guard === 'keep') await db.run(await trueup.planSync('remove'));
    else await trueup.removeSync();
    expect(await things(db)).toEqual(before);
    if (guard !== 'keep') await trueup.reconcile({ all: true });
    expect(await trueup.reconcile({ all: true, dryRun: true })).toMatchObject({ findings: 0 });
  }
});
