import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { deliverAlerts, hooksOf } from '../../src/operations/alerts/deliver.js';
import { webhook } from '../../src/operations/alerts/webhook.js';
import { makeFolder } from '../support/folder.js';
import { createOutbox } from './outbox-support.js';
import { hang, Receiver, status } from './receiver.js';
import { LEDGER } from './support.js';

/** From the outbox to the hooks: at least once, by any number of processes. */

const { db, database, raise, deliver, undelivered } = await createOutbox();
const receiver = await Receiver.start();
const other = await Receiver.start();
const folder = makeFolder('outbox');
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  receiver.will(status(200));
  other.will(status(200));
});

test('what one hook has accepted is not given to it again for the sake of the other', async () => {
  const switched = join(folder, 'switched');
  await raise();
  const hooks = hooksOf({ webhook: receiver.url, command: `test -e '${switched}'` });
  expect(await deliver(...hooks)).toMatchObject([{ error: 'command: the command ended with 1' }]);
  writeFileSync(switched, '');
  expect(await deliver(...hooks)).toMatchObject([{ error: null }]);
  expect(receiver.requests).toHaveLength(1);
  expect(await undelivered()).toBe('0');
});

test('many processes deliver each alert once', async () => {
  for (let count = 0; count < 30; count += 1) await raise(`alert ${String(count)}`);
  const results = await Promise.all(
    Array.from({ length: 6 }, () => deliverAlerts(database, LEDGER, [webhook(receiver.url)])),
  );
  expect(results.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(30);
  const ids = receiver.requests.map(({ headers }) => headers['trueup-alert-id']);
  expect(new Set(ids).size).toBe(30);
  expect(ids).toHaveLength(30);
});

test('one that is not accepted keeps no other from being delivered', async () => {
  for (const message of ['bad', 'good', 'good too']) await raise(message);
  receiver.will((request, response) => {
    response.writeHead(request.body.includes('bad') ? 500 : 200).end();
  });
  expect((await deliver(webhook(receiver.url))).map(({ error }) => error === null)).toEqual([
    false,
    true,
    true,
  ]);
});

test('waits longer and longer, up to a quarter of an hour', async () => {
  receiver.will(status(500));
  await raise();
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    await deliver(webhook(receiver.url));
    waits.push(
      Math.round(
        await db.value<number>(
          'SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::float8 FROM trueup.alerts',
        ),
      ),
    );
  }
  expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
  await deliverAlerts(database, LEDGER, [webhook(receiver.url)]);
  expect(receiver.requests).toHaveLength(10);
});

test('a process that died in the middle gives it back after two minutes', async () => {
  await raise();
  receiver.will(hang);
  const stopped = new AbortController();
  const dying = deliverAlerts(database, LEDGER, [webhook(receiver.url)], {
    signal: stopped.signal,
  });
  await expect.poll(() => receiver.requests.length).toBe(1);
  // Nobody else has it meanwhile.
  expect(await deliverAlerts(database, LEDGER, [webhook(other.url)])).toEqual({
    delivered: 0,
    failed: 0,
  });
  await db.run(`UPDATE trueup.alerts SET next_attempt_at = next_attempt_at - interval '2 minutes'`);
  expect(await deliverAlerts(database, LEDGER, [webhook(other.url)])).toEqual({
    delivered: 1,
    failed: 0,
  });
  stopped.abort();
  await dying;
  expect(await undelivered()).toBe('0');
});

test('a process that is stopped gives it back at once, and no attempt is counted', async () => {
  await raise();
  receiver.will(hang);
  const stopped = new AbortController();
  const ending = deliverAlerts(database, LEDGER, [webhook(receiver.url)], {
    signal: stopped.signal,
  });
  await expect.poll(() => receiver.requests.length).toBe(1);
  stopped.abort();
  expect(await ending).toEqual({ delivered: 0, failed: 0 });
  expect(await db.value('SELECT attempts::text FROM trueup.alerts')).toBe('0');
  expect(await deliverAlerts(database, LEDGER, [webhook(other.url)])).toMatchObject({
    delivered: 1,
  });
});

test('what nobody could be told for seven days is no news any more', async () => {
  await raise('old', '7 days 1 second');
  await raise('young', '6 days 23 hours');
  expect((await deliver(webhook(receiver.url))).map(({ message }) => message)).toEqual(['young']);
});

test('without a hook nothing is done', async () => {
  await raise();
  expect(await deliverAlerts(database, LEDGER, hooksOf({}))).toEqual({ delivered: 0, failed: 0 });
  expect(await db.value('SELECT attempts::text FROM trueup.alerts')).toBe('0');
});
