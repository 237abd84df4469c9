import { describe, expect, test } from 'vitest';
import { TrueupError, type Trueup } from '../../src/index.js';
import { grantFor } from '../../src/postgres/grant-statements.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, truth } from '../support/economy.js';

/** What lacks a right is told the GRANT, and following what is told leads there. */

const db = await createDatabase('empty');

/** Works, and does whatever a refusal says, until nothing is refused any more. */
async function followingHints(role: string, work: () => Promise<unknown>): Promise<string[]> {
  const granted: string[] = [];
  for (;;) {
    try {
      await work();
      return granted;
    } catch (error) {
      if (!(error instanceof TrueupError) || error.code !== 'permission_denied') throw error;
      const hint = error.hint ?? '';
      expect(hint, error.message).toMatch(
        new RegExp(`^(GRANT [A-Z, ]+ ON [^;]+ TO "?${role}"?(; |$))+$`),
      );
      expect(granted).not.toContain(hint);
      await db.run(hint);
      granted.push(hint);
    }
  }
}

describe('a role without any right', () => {
  const opened: Trueup[] = [];
  const open = async (url: string, config: object, readOnly: boolean): Promise<Trueup> => {
    const trueup = await db.trueup({ config: config as never, databaseUrl: url, readOnly });
    opened.push(trueup);
    return trueup;
  };

  test('is led to a dry run, and on to a repair', async () => {
    const economy = await createEconomy(db, 3);
    await (await db.trueup({ config: economy.mapping })).installSync();
    await db.run(
      `SET session_replication_role = replica; INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 5); RESET session_replication_role`,
    );
    const role = await db.role();
    const look = await followingHints(role.name, async () =>
      (await open(role.url, economy.mapping, true)).reconcile({ all: true, dryRun: true }),
    );
    expect(look).toContain(`GRANT USAGE ON SCHEMA "app" TO "${role.name}"`);
    expect(look).toContain(`GRANT SELECT ON "app"."ledger" TO "${role.name}"`);
    expect(look.join()).not.toMatch(/UPDATE|INSERT/);
    const mend = await followingHints(role.name, async () =>
      (await open(role.url, economy.mapping, false)).reconcile({ all: true }),
    );
    expect(mend.join()).toContain('UPDATE ON "app"."wallet"');
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });
});

describe('the GRANT of a refused statement', () => {
  const role = 'it "is"';
  const quoted = '"it ""is"""';

  test.each([
    ['permission denied for schema app', '', `GRANT USAGE ON SCHEMA "app" TO ${quoted}`],
    ['permission denied for database my-db', '', `GRANT CREATE ON DATABASE "my-db" TO ${quoted}`],
    [
      'permission denied for sequence entry_id_seq',
      'INSERT INTO "app"."entry" (a) VALUES (1)',
      `GRANT USAGE ON SEQUENCE "app"."entry_id_seq" TO ${quoted}`,
    ],
    [
      'permission denied for table Order',
      'SELECT 1 FROM "a b"."Order" AS o',
      `GRANT SELECT ON "a b"."Order" TO ${quoted}`,
    ],
    [
      'permission denied for table runs',
      'INSERT INTO trueup.runs (id) VALUES ($1)',
      `GRANT INSERT ON trueup."runs" TO ${quoted}`,
    ],
    [
      'permission denied for table runs',
      'INSERT INTO trueup.runs (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET a = 1 RETURNING id',
      `GRANT SELECT, INSERT, UPDATE ON trueup."runs" TO ${quoted}`,
    ],
    [
      'permission denied for table runs',
      'DELETE FROM trueup.runs WHERE id = 1',
      `GRANT SELECT, DELETE ON trueup."runs" TO ${quoted}`,
    ],
    [
      'permission denied for view runs',
      'SELECT 1 FROM trueup.runs_more, trueup.x JOIN trueup.runs FOR NO KEY UPDATE',
      `GRANT SELECT, UPDATE ON trueup."runs" TO ${quoted}`,
    ],
  ])('%s, after %s', (message, text, expected) => {
    expect(grantFor({ message, text, role })).toBe(expected);
  });

  test.each([
    ['permission denied for table audit', 'INSERT INTO "app"."entry" (a) VALUES (1)'],
    ['keine Berechtigung für Tabelle entry', 'SELECT 1 FROM "app"."entry"'],
    ['must be owner of table entry', 'CREATE TRIGGER x ON "app"."entry"'],
  ])('is not guessed: %s, after %s', (message, text) => {
    expect(grantFor({ message, text, role })).toBeUndefined();
  });
});
