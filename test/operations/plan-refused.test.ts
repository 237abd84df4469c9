import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { ApplyOptions, ApplySummary, Trueup } from '../../src/index.js';
import { contents } from '../cli/fixture.js';
import { createDatabase } from '../support/database.js';
import { createEconomy, type Economy } from '../support/economy.js';
import { folderOfFiles } from './files.js';

/** A plan that is not to be trusted changes nothing, and its code says why. */

const db = await createDatabase('empty');
const other = await createDatabase('empty');
const folder = folderOfFiles();
const file = folder.path('plan.jsonl');
let economy: Economy;
let trueup: Trueup;

beforeAll(async () => {
  economy = await createEconomy(db, 10);
  await db.run(
    'INSERT INTO app.ledger (wallet_id, amount) SELECT n, n * 10 FROM generate_series(1, 10) AS n',
  );
  trueup = await db.trueup({ config: economy.mapping });
});

beforeEach(async () => {
  await trueup.reconcile({ all: true, plan: file });
});

function apply(options: Partial<ApplyOptions> = {}): Promise<ApplySummary> {
  return trueup.applyPlan({ file, ...options });
}

const text = (): string => folder.text('plan.jsonl');
const write = (content: string | Buffer): void => {
  writeFileSync(file, content);
};

async function refused(code: string): Promise<void> {
  const before = await contents(db);
  await expect(apply()).rejects.toMatchObject({ code });
  await expect(apply({ dryRun: true })).rejects.toMatchObject({ code });
  expect(await contents(db)).toEqual(before);
}

/** A plan with another header and a checksum that fits. */
function withHeader(change: object): string {
  const all = text().trimEnd().split('\n');
  const header = { ...(JSON.parse(all[0] ?? '') as object), ...change };
  const [totals = ''] = (all.at(-1) ?? '').split(',"checksum":');
  const body = [JSON.stringify(header), ...all.slice(1, -1), totals].join('\n');
  const checksum = createHash('sha256').update(body).digest('hex');
  return `${body},"checksum":"${checksum}"}\n`;
}

test('altered: any byte of an amount, of an id, of a total, of the checksum', async () => {
  const original = text();
  for (const [from, to] of [
    ['"expected":"50"', '"expected":"59"'],
    ['"walletId":"5"', '"walletId":"6"'],
    ['"repairable":10', '"repairable":1'],
    ['"checked":10', '"checked":99'],
    ['"largestDelta":"100"', '"largestDelta":"1"'],
    [/"checksum":"./.exec(original)?.[0] ?? '', '"checksum":"x'],
  ] as const) {
    expect(original).toContain(from);
    write(original.replace(from, to));
    await refused('plan_altered');
  }
  const all = original.split('\n');
  write([all[0], ...all.slice(2)].join('\n'));
  await refused('plan_altered');
  write(`${original}{"type":"wallet"}\n`);
  await refused('plan_altered');
  write(original.replace('\n', '\r\n'));
  await refused('plan_altered');
});

test('cut at any place', async () => {
  const original = text();
  const ends = [...original.matchAll(/\n/g)].map(({ index }) => index + 1).slice(0, -1);
  for (const at of [...ends, ...ends.map((end) => end + 5), original.length - 1]) {
    write(original.slice(0, at));
    await expect(apply({ dryRun: true })).rejects.toMatchObject({ code: 'plan_truncated' });
  }
  await refused('plan_truncated');
});

test('no plan at all, or one of another version', async () => {
  const original = text();
  for (const content of [
    '',
    'hello\n',
    '{}\n',
    '[]\n',
    'null\n',
    '{"type":"plan","version":1}\n',
    original.replace('"version":1', '"version":2'),
    original.replace('"walletId":"5"', '"walletId":5'),
    original.replace('"part":"wallet"', '"part":"treasury"'),
    original.replace('"findings":[', '"extra":1,"findings":['),
    Buffer.alloc(3_000_000, 'x'),
    Buffer.from([0xff, 0xfe, 0x00]),
  ]) {
    write(content);
    await refused('plan_invalid');
  }
  await expect(apply({ file: folder.path('none.jsonl') })).rejects.toMatchObject({
    code: 'file_unreadable',
  });
  await expect(apply({ file: folder.path('.') })).rejects.toMatchObject({
    code: 'file_unreadable',
  });
});

test('made elsewhere: another server, database, ledger or mapping', async () => {
  const original = text();
  for (const change of [
    { server: '123/456' },
    { database: 'production' },
    { ledger: '"app"."other"' },
    { mapping: '0'.repeat(64) },
  ]) {
    write(withHeader(change));
    await refused('plan_foreign');
    write(original);
  }
  write(withHeader({ server: null })); // Made by a role that could not ask.
  expect(await apply({ dryRun: true })).toMatchObject({ findings: 40 });
});

test('made for the same names in another database of this server', async () => {
  const copy = await createEconomy(other, 1, { schema: 'app' });
  const elsewhere = await other.trueup({ config: copy.mapping });
  await expect(elsewhere.applyPlan({ file })).rejects.toMatchObject({ code: 'plan_foreign' });
  await other.run('DROP SCHEMA app CASCADE');
});

test('and neither is a mapping whose columns have other types now', async () => {
  await db.run('ALTER TABLE app.wallet ALTER balance TYPE bigint');
  trueup = await db.trueup({ config: economy.mapping });
  await refused('plan_foreign');
});
