import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, expect, test } from 'vitest';
import { OWN_MAPPING, type CheckId } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { caches, createEconomy, findings, truth, type Economy } from '../support/economy.js';
import { complaints, linesOf, type Patient } from './support.js';

/**
 * Every way to pass the triggers by: what doctor says while it lasts, and that the scan finds what it
 * left. The table in docs/doctor.md is made of what is seen here.
 */

const db = await createDatabase('empty');
const seen: string[] = [];

async function settled(): Promise<{ economy: Economy; patient: Patient; writer: pg.Client }> {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA IF EXISTS app CASCADE');
  const economy = await createEconomy(db, 3);
  const trueup = await db.trueup({ config: economy.mapping });
  await trueup.installSync({ guard: 'off' }); // It would keep caches from being written at all.
  const writer = await db.connect();
  await writer.query(
    'INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 100), (1, -30), (2, 5), (3, 1)',
  );
  return { economy, patient: { db, config: economy.mapping }, writer };
}

const INSERT = 'INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 7)';

async function copyIn(writer: pg.Client): Promise<void> {
  await pipeline(
    Readable.from(['1\t7\n']),
    writer.query(copyFrom('COPY app.ledger (wallet_id, amount) FROM STDIN')),
  );
}

interface Way {
  readonly way: string;
  /** What doctor names while it lasts. */
  readonly doctor?: CheckId;
  readonly begins?: string;
  readonly writes: (writer: pg.Client) => Promise<unknown>;
  readonly ends?: string;
}

const WAYS: readonly Way[] = [
  {
    way: 'a session sets `session_replication_role = replica`',
    writes: (writer) => writer.query(`SET session_replication_role = replica; ${INSERT}`),
  },
  {
    way: 'a role or a database has that setting',
    doctor: 'replica_setting',
    begins: `ALTER DATABASE ${db.name} SET session_replication_role = replica`,
    writes: async () => (await db.connect()).query(INSERT),
    ends: `ALTER DATABASE ${db.name} RESET session_replication_role`,
  },
  {
    way: '`ALTER TABLE ... DISABLE TRIGGER`',
    doctor: 'trigger_enabled',
    begins: 'ALTER TABLE app.ledger DISABLE TRIGGER trueup_sync',
    writes: (writer) => writer.query(INSERT),
    ends: 'ALTER TABLE app.ledger ENABLE TRIGGER trueup_sync',
  },
  {
    way: '`pg_restore --disable-triggers`',
    doctor: 'trigger_enabled',
    begins: 'ALTER TABLE app.ledger DISABLE TRIGGER ALL',
    writes: copyIn,
    ends: 'ALTER TABLE app.ledger ENABLE TRIGGER ALL',
  },
  {
    way: '`DROP TRIGGER`',
    doctor: 'trigger_present',
    begins: 'DROP TRIGGER trueup_sync ON app.ledger',
    writes: (writer) => writer.query(INSERT),
  },
  {
    way: '`UPDATE` of the ledger',
    writes: (writer) => writer.query('UPDATE app.ledger SET amount = 9 WHERE amount = 100'),
  },
  {
    way: '`DELETE` from the ledger',
    writes: (writer) => writer.query('DELETE FROM app.ledger WHERE amount = -30'),
  },
  { way: '`TRUNCATE` of the ledger', writes: (writer) => writer.query('TRUNCATE app.ledger') },
  {
    way: '`UPDATE` of a cache of the wallet',
    writes: (writer) => writer.query('UPDATE app.wallet SET balance = 1 WHERE id = 1'),
  },
  {
    way: '`UPDATE` of a cache of the profile',
    writes: (writer) => writer.query('UPDATE app.profile SET shown = 1 WHERE id = 101'),
  },
];

test.each(WAYS)('$way', async ({ way, doctor, begins, writes, ends }) => {
  const { economy, patient, writer } = await settled();
  expect(await complaints(patient)).toEqual([]);
  if (begins !== undefined) await db.run(begins);
  const told = (await complaints(patient)).map((line) => line.split(/[ :]/)[1]);
  expect(new Set(told)).toEqual(new Set(doctor === undefined ? [] : [doctor]));
  await writes(writer);
  if (ends !== undefined) await db.run(ends);
  const trueup = await db.trueup({ config: economy.mapping });
  const found = await findings(trueup);
  expect(found.map(({ walletId }) => walletId)).toContain('1');
  if (!way.includes('TRUNCATE')) {
    await trueup.reconcile({ all: true });
    expect(await findings(trueup)).toEqual([]);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  }
  seen.push(`| ${way} | ${doctor === undefined ? 'no' : `\`${doctor}\``} | yes |`);
});

test('Trueup’s own ledger refuses every change, until that is switched off, which is told', async () => {
  const own = await createOwn();
  for (const change of [
    'UPDATE trueup.entries SET amount = 1',
    'DELETE FROM trueup.entries',
    'TRUNCATE trueup.entries',
  ]) {
    for (const role of ['origin', 'replica', 'local']) {
      await expect(
        db.run(`SET LOCAL session_replication_role = ${role}; ${change}`),
      ).rejects.toThrow(/append-only/);
    }
  }
  await db.run('ALTER TABLE trueup.entries DISABLE TRIGGER trueup_append_only');
  expect((await linesOf(own, 'append_only'))[0]?.level).toBe('error');
  await db.run('DELETE FROM trueup.entries WHERE amount = 7');
  expect(await findings(await db.trueup())).not.toEqual([]);
});

async function createOwn(): Promise<Patient> {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE');
  const trueup = await db.trueup();
  const walletId = await trueup.openWallet({ userId: 'ada' });
  for (const amount of [5n, 7n, 9n]) await trueup.credit({ walletId, amount, reason: 'winner' });
  return { db, config: OWN_MAPPING };
}

afterAll(() => {
  // A run of a part of this file has not seen everything.
  if (seen.length < WAYS.length) return;
  const page = readFileSync(join(resolve(import.meta.dirname, '../..'), 'docs/doctor.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (.+?) +\| (no|`\w+`) +\| (yes|no) +\|$/gm)];
  expect(
    rows.map(([, way = '', doctor = '', scan = '']) => `| ${way} | ${doctor} | ${scan} |`),
  ).toEqual(seen);
});
