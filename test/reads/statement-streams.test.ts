import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { inSnapshot } from '../../src/ledger/reads/snapshot.js';
import { Database } from '../../src/postgres/database.js';
import { createDatabase } from '../support/database.js';
import { adopt, fill, jsonOf, posted } from './support.js';

/** statement as a stream: flat memory, back-pressure, and readers who go away. */

const own = await createDatabase('own');
const db = await createDatabase('empty');
const economy = await adopt(db, 3, { walletType: 'bigint', profileType: 'bigint' });
const ENTRIES = 100_000;

/** The adopted ledger has no numbers: its statements hold a connection. */
await db.run(
  `INSERT INTO app.ledger (wallet_id, amount, reason) SELECT 1, 5, repeat(md5(n::text), 10) FROM generate_series(1, $1::integer) AS n`,
  [ENTRIES],
);
const trueup = await own.trueup();
const walletId = await trueup.openWallet({});
await fill(own, walletId, ENTRIES);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function memory(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The first piece of a stream that nobody reads on. */
async function begin(stream: Readable): Promise<void> {
  await once(stream, 'readable');
  expect(stream.read()).toBeInstanceOf(Buffer);
}

describe.each(['own', 'adopted'] as const)('%s tables', (kind) => {
  const target = kind === 'own' ? trueup : economy.trueup;
  const wallet = kind === 'own' ? walletId : '1';

  test(`${String(ENTRIES)} entries in flat memory`, async () => {
    const stream = await target.statement({ walletId: wallet, format: 'json' });
    const before = memory();
    let most = 0;
    let bytes = 0;
    let chunks = 0;
    let lines = 0;
    for await (const chunk of stream) {
      const { length } = chunk as Buffer;
      bytes += length;
      lines += (chunk as Buffer).toString().split('\n').length - 1;
      chunks += 1;
      if (chunks % 10 === 0) most = Math.max(most, memory() - before);
    }
    expect(lines).toBe(ENTRIES + 2);
    expect(bytes).toBeGreaterThan(40_000_000);
    expect(most).toBeLessThan(12_000_000);
  });

  test('who reads slowly is not run ahead of', async () => {
    const before = memory();
    const stream = await target.statement({ walletId: wallet, format: 'csv' });
    await begin(stream);
    await pause(300);
    expect(stream.readableLength).toBeLessThan(3_000_000);
    expect(memory() - before).toBeLessThan(12_000_000);
    stream.destroy();
    await once(stream, 'close');
  });

  test('what is written while it is read is not in it', async () => {
    const last = kind === 'own' ? await trueup.openWallet({}) : '3';
    const count = 12_000;
    if (kind === 'own') await fill(own, last, count);
    else
      await db.run(
        `INSERT INTO app.ledger (wallet_id, amount, reason) SELECT 3, 5, repeat('x', 300) FROM generate_series(1, $1::integer)`,
        [count],
      );
    const stream = await target.statement({ walletId: last, format: 'json' });
    await once(stream, 'readable');
    while (stream.readableLength < 10_000) await pause(5);
    posted(await target.credit({ walletId: last, amount: 1n, reason: 'winner' }));
    const lines = await jsonOf(stream);
    expect(lines).toHaveLength(count + 2);
    expect(lines.at(-1)).toMatchObject({ type: 'closing', balance: String(5 * count) });
  });

  test('a reader who goes away early leaves no connection behind', async () => {
    const options = kind === 'own' ? {} : { config: economy.mapping };
    const narrow = await (kind === 'own' ? own : db).trueup({ ...options, maxConnections: 1 });
    const open = (): Promise<Readable> => narrow.statement({ walletId: wallet, format: 'csv' });
    for (let round = 0; round < 3; round += 1) {
      (await open()).destroy(); // Before the first line.
      const begun = await open();
      await begin(begun);
      begun.destroy();
      const looped = await open();
      for await (const chunk of looped) {
        expect(chunk).toBeInstanceOf(Buffer);
        break;
      }
      const failed = await open();
      failed.on('error', () => undefined);
      await begin(failed);
      failed.destroy(new Error('the reader failed'));
      expect(await narrow.balance({ walletId: wallet })).toMatchObject({ walletId: wallet });
    }
    await narrow.close();
  });

  test('close ends what nobody reads on', async () => {
    const options = kind === 'own' ? {} : { config: economy.mapping };
    const closing = await (kind === 'own' ? own : db).trueup(options);
    const stream = await closing.statement({ walletId: wallet, format: 'csv' });
    await begin(stream);
    await closing.close();
    expect(stream.destroyed).toBe(true);
    await expect(jsonOf(stream)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});

test('a snapshot is of one moment, whatever is asked in it', async () => {
  const connection = { connectionString: db.url };
  const database = await Database.open({ connection, applicationName: 'snapshot' });
  const counts = inSnapshot(database, async function* (session) {
    for (;;) yield await session.query({ text: 'SELECT count(*) FROM app.ledger' });
  });
  const first = await counts.next();
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (2, 5)');
  expect(await counts.next()).toEqual(first);
  await counts.return(undefined);
  await database.close();
});

test('own tables: a reader who stalls keeps no connection', async () => {
  const narrow = await own.trueup({ maxConnections: 1 });
  const stream = await narrow.statement({ walletId, format: 'csv' });
  await begin(stream);
  expect(await narrow.balance({ walletId })).toMatchObject({ balance: BigInt(5 * ENTRIES) });
  stream.destroy();
  await narrow.close();
});

test('what breaks on the way ends the stream with an error', async () => {
  const stream = await economy.trueup.statement({ walletId: '1', format: 'json' });
  await begin(stream);
  while (stream.readableLength < 10_000) await pause(5);
  const ended = await db.rows(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'trueup' AND state = 'idle in transaction'`,
  );
  expect(ended).toHaveLength(1);
  await expect(jsonOf(stream)).rejects.toMatchObject({ name: 'TrueupError' });
  expect(await economy.trueup.balance({ walletId: '1' })).toMatchObject({ walletId: '1' });
});
