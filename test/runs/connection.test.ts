import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { openTrueup, type Finding, type ReconcileWarning } from '../../src/index.js';
import { EmbeddedServer } from '../../src/postgres/embedded/server.js';
import { createDatabase, TestDatabase } from '../support/database.js';
import { countsOf, Drifted } from '../support/drifted.js';
import { makeFolder } from '../support/folder.js';
import { Proxy, type Cut } from '../support/proxy.js';

/** Connections that break, and servers that crash: the batch is done again, and nothing twice. */

const db = await createDatabase('empty');
const drifted = await Drifted.create(db);
const proxy = await Proxy.to(db.url);
const trueup = await db.trueup({ config: drifted.mapping, databaseUrl: proxy.url });
const direct = await db.trueup({ config: drifted.mapping });

beforeEach(async () => {
  await drifted.reset();
  await db.run('DELETE FROM trueup.runs');
});

async function expected(): Promise<{ counts: object; records: object; seen: string[] }> {
  const seen: Finding[] = [];
  const summary = await direct.reconcile({ all: true, onFinding: (one) => seen.push(one) });
  const records = await drifted.records(summary.runId);
  await drifted.reset();
  return { counts: countsOf(summary), records, seen: lines(seen) };
}

function lines(findings: readonly Finding[]): string[] {
  return findings
    .map(({ walletId, part, field, expected: right, repaired }) =>
      [walletId, part, field, right, repaired].join(' '),
    )
    .sort();
}

describe('a COMMIT whose answer is lost', () => {
  // Every batch reads in a transaction of its own, so there are COMMITs before and between the repairs.
  const cuts: [string, Cut[]][] = Array.from({ length: 12 }, (_, before) => before).flatMap(
    (before) =>
      (['before', 'after', 'race'] as const).map((how): [string, Cut[]] => [
        `${how} ${String(before)}`,
        [...Array.from({ length: before }, (): Cut => 'none'), how],
      ]),
  );
  test.each(cuts)('%s: every repair is made once, told once, and recorded once', async (_, how) => {
    const { counts, records, seen } = await expected();
    const told: Finding[] = [];
    const warnings: ReconcileWarning[] = [];
    proxy.cut(...how);
    const summary = await trueup.reconcile({
      ...{ all: true, batchSize: 4 },
      onFinding: (one) => told.push(one),
      onWarning: (one) => warnings.push(one),
    });
    expect(proxy.left).toBe(0);
    expect(countsOf(summary)).toEqual(counts);
    expect(await drifted.records(summary.runId)).toEqual(records);
    expect([...new Set(lines(told))]).toEqual(seen);
    expect(warnings.map(({ code }) => code)).toContain('database_unreachable');
  });
});

test('sessions that an administrator ends all the time', async () => {
  const { counts, records } = await expected();
  let ended = 0;
  const summary = await trueup.reconcile({
    ...{ all: true, batchSize: 2 },
    onProgress: ({ checked }) => {
      if (checked % 4 !== 0 || ended > 5) return;
      ended += 1;
      void db.run(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'trueup' AND pid <> pg_backend_pid()`,
      );
    },
  });
  expect(ended).toBeGreaterThan(1);
  expect(countsOf(summary)).toEqual(counts);
  expect(await drifted.records(summary.runId)).toEqual(records);
});

test('nobody gets through for a while: the run waits, and says so', async () => {
  const { counts } = await expected();
  let fell = false;
  const warnings: ReconcileWarning[] = [];
  const summary = await trueup.reconcile({
    ...{ all: true, batchSize: 4 },
    onProgress: () => {
      if (fell) return;
      fell = true;
      proxy.down = true;
    },
    onWarning: (warning) => {
      warnings.push(warning);
      if (warning.code === 'database_unreachable') proxy.down = false;
    },
  });
  expect(countsOf(summary)).toEqual(counts);
  expect(warnings).toContainEqual({
    code: 'database_unreachable',
    message: expect.stringContaining('as soon as the server answers') as string,
  });
});

describe('a server that crashes (stop immediate)', () => {
  test('and starts again in the middle of a run', async () => {
    const home = makeFolder('crash');
    const first = await EmbeddedServer.join(home);
    const { host = '' } = await first.connection('postgres');
    const url = `postgres://trueup@/postgres?host=${encodeURIComponent(host)}`;
    const there = new TestDatabase('postgres', url);
    let second: EmbeddedServer | undefined;
    try {
      const economy = await Drifted.create(there);
      await economy.reset();
      const own = await openTrueup({ databaseUrl: url, config: economy.mapping, healer: false });
      const whole = await own.reconcile({ all: true });
      const records = await economy.records(whole.runId);
      await economy.reset();
      let crashed = false;
      const summary = await own.reconcile({
        ...{ all: true, batchSize: 4 },
        onProgress: () => {
          if (crashed) return;
          crashed = true;
          process.kill(postmaster(home), 'SIGQUIT');
        },
        onWarning: ({ code }) => {
          if (code !== 'database_unreachable' || second !== undefined) return;
          void EmbeddedServer.join(home).then((server) => (second = server));
        },
      });
      expect(countsOf(summary)).toEqual(countsOf(whole));
      expect(await economy.records(summary.runId)).toEqual(records);
      await own.close();
    } finally {
      await there.close();
      await second?.leave();
      await first.leave();
      rmSync(home, { recursive: true, force: true });
    }
  });
});

function postmaster(home: string): number {
  return Number.parseInt(readFileSync(join(home, 'data', 'postmaster.pid'), 'utf8'), 10);
}

test('a database that takes no writes is refused, and nothing is changed', async () => {
  const before = await drifted.caches();
  const setting = `options=${encodeURIComponent('-c default_transaction_read_only=on')}`;
  const databaseUrl = `${db.url}${db.url.includes('?') ? '&' : '?'}${setting}`;
  const reading = { databaseUrl, config: drifted.mapping };
  const reader = await db.trueup(reading);
  await expect(reader.reconcile({ all: true })).rejects.toMatchObject({
    code: 'database_read_only',
    hint: expect.stringContaining('primary') as string,
  });
  const dry = await db.trueup({ ...reading, readOnly: true });
  expect(await dry.reconcile({ all: true, dryRun: true })).toMatchObject({ checked: 12 });
  expect(await drifted.caches()).toBe(before);
  expect(await db.value('SELECT count(*) FROM trueup.runs')).toBe('0');
});
