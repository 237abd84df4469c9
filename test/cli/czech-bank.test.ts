import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { from as copyFrom } from 'pg-copy-streams';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { runTrueup, type CliRun, type JsonLine } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { contents, example, hasTrueup } from './fixture.js';

/**
 * A real bank's ledger of 49,102 lines, which drifts by itself. The facts about it were counted by a
 * program that has nothing to do with this one. Every test begins with the accounts adopted empty.
 */

const bank = example('czech-bank');
const db = await createDatabase('empty');

const ACCOUNTS = 1_229;
const LINES = '49102';
const LEDGER_SUM = 3_924_614_280n;
const POSITIVE_SUM = 17_736_629_630n;
const WRONG_PRINTED_BALANCES = 815;

bank.describe('the ledger of a real bank', () => {
  beforeAll(load);
  beforeEach(adoptEmpty);

  test('the dry run finds every account, sums up to the ledger, and changes nothing', async () => {
    expect(await db.value('SELECT count(*)::text FROM bank_line')).toBe(LINES);
    const before = await contents(db);
    const run = await trueup('reconcile --all --dry-run --json');
    expect(run.status).toBe(2);
    expect(await contents(db)).toEqual(before);
    expect(await hasTrueup(db)).toBe(false);

    expect(run.json().at(-1)).toMatchObject({
      type: 'summary',
      checked: ACCOUNTS,
      drifted: ACCOUNTS,
      balanceDrifts: ACCOUNTS,
      earningsDrifts: ACCOUNTS,
      repaired: 0,
      errors: 0,
    });
    const findings = run.ofType('finding');
    for (const part of ['wallet', 'profile']) {
      expect(sum(findings, part, 'balance', 'expected')).toBe(LEDGER_SUM);
      expect(sum(findings, part, 'lifetimeEarnings', 'expected')).toBe(POSITIVE_SUM);
    }
    const shown = findings.filter((line) => line['part'] === 'profile');
    expect(shown).toHaveLength(2 * ACCOUNTS);
    expect(new Set(shown.map(({ cached, delta }) => `${String(cached)} ${String(delta)}`))).toEqual(
      new Set(['null null']),
    );
  });

  test('batches of every size find the same', async () => {
    const runs = await Promise.all(
      ['1', '7', '1000', '100000'].map((size) =>
        trueup(`reconcile --all --dry-run --json --batch-size ${size}`),
      ),
    );
    const [first, ...others] = runs.map((run) =>
      run
        .ofType('finding')
        .map((line) => JSON.stringify(line))
        .sort(),
    );
    expect(first?.length).toBeGreaterThan(3 * ACCOUNTS);
    for (const other of others) expect(other).toEqual(first);
    expect(runs.map(({ status }) => status)).toEqual([2, 2, 2, 2]);
    for (const run of runs) expect(run.json().at(-1)).toMatchObject({ checked: ACCOUNTS });
  }, 240_000);

  test('repair, the printed balances, repair again, and new lines that are followed', async () => {
    const first = await trueup('reconcile --all --json');
    expect(first.status).toBe(0);
    const summary = first.json().at(-1) ?? {};
    expect(summary).toMatchObject({ checked: ACCOUNTS, drifted: ACCOUNTS, errors: 0, skipped: 0 });
    expect(summary['repaired']).toBe(summary['findings']);
    expect(await totals()).toEqual(Array(2).fill({ balance: LEDGER_SUM, received: POSITIVE_SUM }));
    expect(await disagreements()).toBe('0');

    const second = await trueup('reconcile --all --json');
    expect(second.status).toBe(0);
    expect(second.json()).toMatchObject([{ checked: ACCOUNTS, findings: 0 }]);

    await showPrintedBalances();
    const printed = await trueup('reconcile --all --dry-run --json');
    expect(printed.status).toBe(2);
    expect(printed.json().at(-1)).toMatchObject({
      checked: ACCOUNTS,
      drifted: WRONG_PRINTED_BALANCES,
      balanceDrifts: WRONG_PRINTED_BALANCES,
      earningsDrifts: 0,
      findings: WRONG_PRINTED_BALANCES,
    });
    const again = await trueup('reconcile --all --json');
    expect(again.status).toBe(0);
    expect(again.json().at(-1)).toMatchObject({ repaired: WRONG_PRINTED_BALANCES });

    expect((await trueup('sync install')).status).toBe(0);
    const added = await hundredLines();
    const after = await trueup('reconcile --all --dry-run --json');
    expect(after.json()).toMatchObject([{ checked: ACCOUNTS, findings: 0, exitStatus: 0 }]);
    expect(after.status).toBe(0);
    const expected = { balance: LEDGER_SUM + added.all, received: POSITIVE_SUM + added.positive };
    expect(await totals()).toEqual([expected, expected]);
    expect(await disagreements()).toBe('0');
    expect((await trueup('sync status')).status).toBe(0);
  });
});

function trueup(words: string): Promise<CliRun> {
  return runTrueup([...words.split(' '), '--config', bank.config], { databaseUrl: db.url });
}

async function load(): Promise<void> {
  await db.run(bank.read('schema.sql').toString());
  const users = printedBalances().map(([user]) => user);
  await db.run('INSERT INTO bank_customer (id) SELECT unnest($1::bigint[])', [users]);
  await db.run('INSERT INTO bank_account (id, customer_id) SELECT id, id FROM bank_customer');
  const client = await db.connect();
  const copy = copyFrom(
    `COPY bank_line (key, account_id, amount, reason, occurred_at) FROM STDIN (FORMAT csv, HEADER)`,
  );
  await pipeline(Readable.from([gunzipSync(bank.read('entries.csv.gz'))]), client.query(copy));
  await db.run('ANALYZE');
}

/** The lines of the bank, and nothing that a test has added: no balance anywhere, no Trueup. */
async function adoptEmpty(): Promise<void> {
  await db.run(`
    DROP SCHEMA IF EXISTS trueup CASCADE;
    DELETE FROM bank_line WHERE key LIKE 'new-%';
    UPDATE bank_account SET balance = 0, total_received = 0;
    UPDATE bank_customer SET shown_balance = NULL, total_received = NULL;`);
}

/** User and balance, as the bank printed it on the account's last line. */
function printedBalances(): [string, string][] {
  const [, ...lines] = bank.read('profiles.csv').toString().trim().split(/\r?\n/);
  return lines.map((line) => {
    const [user = '', balance = ''] = line.split(',');
    return [user, balance];
  });
}

async function showPrintedBalances(): Promise<void> {
  const printed = printedBalances();
  await db.run(
    `UPDATE bank_customer c SET shown_balance = l.balance
       FROM unnest($1::bigint[], $2::bigint[]) AS l (id, balance) WHERE c.id = l.id`,
    [printed.map(([user]) => user), printed.map(([, balance]) => balance)],
  );
}

/** Forty statements of one line, and three of twenty, some of which meet the same account. */
async function hundredLines(): Promise<{ all: bigint; positive: bigint }> {
  const users = printedBalances().map(([user]) => user);
  const lines = Array.from({ length: 100 }, (_, n) => ({
    account: users[(n * 37) % (n < 70 ? users.length : 5)],
    amount: (n % 3 === 0 ? -1 : 1) * (1_000 + n),
    key: `new-${String(n)}`,
  }));
  const statements = [...lines.slice(0, 40).map((line) => [line]), ...[40, 60, 80].map(twenty)];
  for (const statement of statements) {
    await db.run(
      `INSERT INTO bank_line (key, account_id, amount, reason, occurred_at)
       SELECT k, a, m, 'correction', now() FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS l (k, a, m)`,
      [
        statement.map(({ key }) => key),
        statement.map(({ account }) => account),
        statement.map(({ amount }) => amount),
      ],
    );
  }
  const add = (amounts: readonly number[]): bigint => BigInt(amounts.reduce((a, b) => a + b, 0));
  const amounts = lines.map(({ amount }) => amount);
  return { all: add(amounts), positive: add(amounts.filter((amount) => amount > 0)) };

  function twenty(from: number): typeof lines {
    return lines.slice(from, from + 20);
  }
}

function sum(findings: readonly JsonLine[], part: string, field: string, value: string): bigint {
  return findings
    .filter((line) => line['part'] === part && line['field'] === field)
    .reduce((total, line) => total + BigInt(String(line[value])), 0n);
}

interface Totals {
  readonly balance: bigint;
  readonly received: bigint;
}

/** All accounts together, and all that the customers are shown. */
async function totals(): Promise<Totals[]> {
  const rows = await db.rows<{ balance: string; received: string }>(
    `SELECT sum(balance)::text AS balance, sum(total_received)::text AS received FROM bank_account
      UNION ALL SELECT sum(shown_balance)::text, sum(total_received)::text FROM bank_customer`,
  );
  return rows.map((row) => ({ balance: BigInt(row.balance), received: BigInt(row.received) }));
}

/** Accounts whose caches are not what their lines say, counted without Trueup. */
function disagreements(): Promise<string> {
  return db.value(
    `SELECT count(*)::text FROM bank_account a JOIN bank_customer c ON c.id = a.customer_id
       CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS total,
                                  coalesce(sum(greatest(amount, 0)), 0) AS positive
                             FROM bank_line l WHERE l.account_id = a.id) t
      WHERE (a.balance, a.total_received, c.shown_balance, c.total_received)
            IS DISTINCT FROM (t.total, t.positive, t.total, t.positive)`,
  );
}
