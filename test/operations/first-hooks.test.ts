import { beforeEach, expect, test } from 'vitest';
import { webhook } from '../../src/operations/alerts/webhook.js';
import { deliverAlerts } from '../../src/operations/alerts/deliver.js';
import { raiseAlerts } from '../../src/operations/alerts/raise.js';
import { runTrueup } from '../support/cli.js';
import { createOutbox } from './outbox-support.js';
import { Receiver, status } from './receiver.js';
import { LEDGER, recordRun, stoppedBy, type Counts } from './support.js';

/** A hook that is added later: it hears of what is wrong, and of what comes, but not of history. */

const { db, database } = await createOutbox();
const receiver = await Receiver.start();

beforeEach(async () => {
  receiver.will(status(200));
  receiver.requests.splice(0);
  await db.run('TRUNCATE trueup.alert_hooks, trueup.alert_conditions, trueup.runs');
});

async function night(counts: Counts = {}): Promise<void> {
  const summary = await recordRun(db, counts);
  await database.transaction((session) => raiseAlerts(session, LEDGER, summary));
}

const drifting: Counts = { drifted: 2, findings: 2, repaired: 2 };

/** What a process with a hook delivers, as kind and state. */
async function hear(): Promise<string[]> {
  receiver.requests.splice(0);
  await deliverAlerts(database, LEDGER, [webhook(receiver.url)]);
  return receiver.requests.map(({ body }) => {
    const { kind, state } = JSON.parse(body) as { kind: string; state: string };
    return `${kind} ${state}`;
  });
}

const waiting = () =>
  db.trueup({ readOnly: true }).then(async (trueup) => (await trueup.status()).waiting.alerts);

test('what is over is not told, and what is wrong still is told once', async () => {
  await night(drifting);
  await night(drifting);
  await night();
  await night(drifting);
  await night({ ...drifting, ...stoppedBy('600 wallets would be repaired'), repaired: 0 });
  // Nobody is there to be given them.
  expect(await waiting()).toBe(0);
  expect(await hear()).toEqual(['drift open', 'rail open']);
  expect(await waiting()).toBe(0);
  expect(await hear()).toEqual([]);
});

test('also what has been wrong for longer than an alert is news', async () => {
  await night(drifting);
  await db.run(`UPDATE trueup.alerts SET raised_at = raised_at - interval '30 days'`);
  expect(await hear()).toEqual(['drift open']);
});

test('what comes afterwards is told, whoever is there when it is raised', async () => {
  await night(drifting);
  expect(await hear()).toEqual(['drift open']);
  // The process with the hook is down over night.
  await night(drifting);
  await night();
  expect(await hear()).toEqual(['drift open', 'drift recovered']);
});

test('a hook that refuses keeps what it was offered first', async () => {
  receiver.will(status(500));
  await night(drifting);
  await hear();
  expect(await waiting()).toBe(1);
  await night();
  expect(await waiting()).toBe(2);
  receiver.will(status(200));
  await db.run('UPDATE trueup.alerts SET next_attempt_at = clock_timestamp()');
  expect(await hear()).toEqual(['drift open', 'drift recovered']);
});

test('what is dropped stays on record, and says so', async () => {
  await night(drifting);
  await night();
  await hear();
  const trueup = await db.trueup({ readOnly: true });
  const { alerts } = await trueup.alerts();
  expect(alerts.map(({ deliveredAt, droppedAt }) => [deliveredAt, droppedAt])).toEqual([
    [null, expect.any(Date)],
    [null, expect.any(Date)],
  ]);
});

test('two processes that begin at once tell each thing once', async () => {
  await night(drifting);
  await night();
  await night(drifting);
  const told = await Promise.all(
    Array.from({ length: 4 }, () => deliverAlerts(database, LEDGER, [webhook(receiver.url)])),
  );
  expect(told.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(1);
});

test('a ledger that had hooks before Trueup kept count goes on telling', async () => {
  await night(drifting);
  await night();
  await db.run(`UPDATE trueup.alerts SET attempts = 1, delivered_at = now() WHERE state = 'open'`);
  await db.run(`DROP TABLE trueup.alert_hooks; ALTER TABLE trueup.alerts DROP dropped_at;
                DELETE FROM trueup.migrations WHERE number = 23`);
  expect((await runTrueup(['migrate'], { databaseUrl: db.url })).status).toBe(0);
  expect(await hear()).toEqual(['drift recovered']);
});
