import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { runTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { contents, hasTrueup, STACK_TRACE, temporaryFolder } from './fixture.js';
import { ACTIVITY, deltacrown, platformIn } from './deltacrown.js';

/** `trueup adopt` as a program: what it prints, writes and refuses. */

const db = await createDatabase('empty');
const { load } = platformIn(db);
const folders = temporaryFolder();
let count = 0;

/** A folder of its own for each run, as a person would sit in one. */
function folder(): string {
  const name = join(folders, String((count += 1)));
  mkdirSync(name);
  return name;
}

const adopt = (words: string, cwd: string, databaseUrl = db.url): Promise<CliRun> =>
  runTrueup(['adopt', ...words.split(' ').filter((word) => word !== '')], { databaseUrl, cwd });

/** Where the example is missing, nobody asks. */
const wanted = (): unknown => ({
  ...(JSON.parse(deltacrown.read('trueup.config.json').toString()) as object),
  activity: ACTIVITY,
});

const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

deltacrown.describe('adopting the platform of UP-M3', () => {
  beforeEach(load);

  test('with SELECT only: the mapping that lies there, and a check that says what drifted', async () => {
    const role = await db.role();
    await db.run(`GRANT USAGE ON SCHEMA public TO ${role.name};
                  GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role.name}`);
    const before = await contents(db);
    const cwd = folder();
    const run = await adopt('--yes', cwd, role.url);
    expect(run.status).toBe(0);
    expect(run.stderr).not.toMatch(STACK_TRACE);
    expect(read(join(cwd, 'trueup.config.json'))).toEqual(wanted());
    expect(readdirSync(cwd)).toEqual(['trueup.config.json']);
    expect(await contents(db)).toEqual(before);
    expect(await hasTrueup(db)).toBe(false);
    for (const text of [
      'ledger  economy_deltacrowntransaction',
      'activity  user_profile_useractivity',
      'foreign key',
      'written to trueup.config.json',
      'user 1  profile balance 0 -> 494',
      'checked 5  drifted 3  balance drifts 3  earnings drifts 3',
      'trueup sync install',
    ]) {
      expect(run.stdout).toContain(text);
    }
    // What was written is what every other command takes.
    const dryRun = await runTrueup(['reconcile', '--all', '--dry-run'], {
      databaseUrl: role.url,
      cwd,
    });
    expect(dryRun.status).toBe(2);
  });

  test('with --json: the proposal, the file, the summary, each as a line', async () => {
    const run = await adopt('--yes --json --output here.json', folder());
    expect(run.status).toBe(0);
    expect(run.json().map(({ type }) => type)).toEqual(['proposal', 'written', 'summary']);
    expect(run.ofType('proposal')[0]).toMatchObject({ mapping: wanted(), looked: 5 });
    expect(run.json().at(-1)).toMatchObject({ checked: 5, balanceDrifts: 3, earningsDrifts: 3 });
  });

  test('without a check nothing but the catalog is read', async () => {
    // Two wallets of one profile: only who looks into the wallets can know.
    await db.run(`ALTER TABLE economy_deltacrownwallet DROP CONSTRAINT economy_deltacrownwallet_profile_id_key;
                  UPDATE economy_deltacrownwallet SET profile_id = 101 WHERE id = 2`);
    const cwd = folder();
    const unchecked = await adopt('--yes --no-check --output unchecked.json', cwd);
    expect(unchecked.status).toBe(0);
    expect(unchecked.stdout).not.toContain('checked 5');
    expect(read(join(cwd, 'unchecked.json'))).toHaveProperty('profile');
    const checked = await adopt('--yes --output checked.json', cwd);
    expect(checked.status).toBe(0);
    expect(checked.stdout).toContain('profile 101 has 2 wallets');
    expect(read(join(cwd, 'checked.json'))).not.toHaveProperty('profile');
  });

  test('nobody to ask and no --yes: the proposal is shown and nothing is written', async () => {
    const cwd = folder();
    const run = await adopt('', cwd);
    expect(run.status).toBe(64);
    expect(run.stdout).toContain('wallet  economy_deltacrownwallet');
    expect(run.stderr).toContain('--yes');
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('an existing file is refused before anything else, and overwritten with --force', async () => {
    const cwd = folder();
    const file = join(cwd, 'trueup.config.json');
    writeFileSync(file, 'precious');
    const run = await adopt('--yes', cwd, 'postgres://nobody@127.0.0.1:1/none');
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('[config_exists]');
    expect(readFileSync(file, 'utf8')).toBe('precious');
    expect((await adopt('--yes --force --no-check', cwd)).status).toBe(0);
    expect(read(file)).toEqual(wanted());
    expect(readdirSync(cwd)).toEqual(['trueup.config.json']);
  });

  test('behind a symbolic link the file is replaced, and the link stays', async () => {
    const cwd = folder();
    writeFileSync(join(cwd, 'real.json'), '{}');
    symlinkSync('real.json', join(cwd, 'link.json'));
    expect((await adopt('--yes --force --no-check --output link.json', cwd)).status).toBe(0);
    expect(lstatSync(join(cwd, 'link.json')).isSymbolicLink()).toBe(true);
    expect(read(join(cwd, 'real.json'))).toEqual(wanted());
  });

  test.each([
    ['a folder that does not exist', '--output none/here.json'],
    ['a folder in its place', '--force --output .'],
  ])('%s: a clear refusal, nothing left behind', async (_, words) => {
    const cwd = folder();
    const run = await adopt(`--yes --no-check ${words}`, cwd);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('[invalid_argument]');
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('refusals', () => {
  beforeEach(async () => {
    await db.run(
      'DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public',
    );
  });

  test('nothing that fits: status 1, what came near, and what was looked for', async () => {
    await db.run(`CREATE TABLE wallet (id int, balance int);
                  CREATE TABLE movement (id int PRIMARY KEY, wallet_id int, amount int)`);
    const cwd = folder();
    const run = await adopt('--yes', cwd);
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('[nothing_to_adopt]');
    expect(run.stderr).toContain('wallet is no wallet: "id" has no unique index');
    expect(run.stderr).toContain('Looked for');
    expect(existsSync(join(cwd, 'trueup.config.json'))).toBe(false);
  });

  test.each([
    ['--output a.json --config b.json', '--output and --config'],
    ['--dry-run', '--opening-balances'],
    ['--reason x', '--opening-balances'],
    ['--opening-balances --force', '--force'],
    ['--opening-balances --no-check', '--no-check'],
    ['--opening-balances --batch-size 0', 'whole number'],
  ])('wrong usage: %s', async (words, message) => {
    const run = await adopt(words, folder());
    expect(run).toMatchObject({ status: 64, stdout: '' });
    expect(run.stderr).toContain(message);
  });
});

describe('opening balances', () => {
  const CONFIG = {
    ledger: { table: 'entry', id: 'id', wallet: 'wallet_id', amount: 'amount', reason: 'reason' },
    wallet: { table: 'wallet', id: 'id', balance: 'balance' },
  };
  let cwd: string;

  beforeEach(async () => {
    await db.run(`DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
      CREATE TABLE wallet (id int PRIMARY KEY, balance int);
      CREATE TABLE entry (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text);
      INSERT INTO wallet SELECT n, 10 * n FROM generate_series(0, 30) AS n;`);
    cwd = folder();
    writeFileSync(join(cwd, 'trueup.config.json'), JSON.stringify(CONFIG));
  });

  test('the check after adopting tells of them', async () => {
    const run = await adopt('--yes --output other.json', cwd);
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('30 wallets hold coins and have no history');
    expect(run.stdout).toContain('... and 20 more');
    expect(run.stdout).toContain('trueup adopt --opening-balances --dry-run');
  });

  test('a dry run shows them and changes nothing, also without any right to', async () => {
    const role = await db.role();
    await db.run(
      `GRANT USAGE ON SCHEMA public TO ${role.name}; GRANT SELECT ON wallet, entry TO ${role.name}`,
    );
    const before = await contents(db);
    const run = await adopt('--opening-balances --dry-run', cwd, role.url);
    expect(run.status).toBe(2);
    expect(run.stdout).toContain('30 wallets hold 4650 coins and have no history');
    expect(run.stdout).toContain('wallet 1  entry 10  balance stays 10');
    expect(run.stdout).toContain('... and 10 more');
    expect(await contents(db)).toEqual(before);
  });

  test('nobody to ask and no --yes: nothing is changed', async () => {
    const before = await contents(db);
    const run = await adopt('--opening-balances', cwd);
    expect(run.status).toBe(64);
    expect(run.stderr).toContain('--yes');
    expect(await contents(db)).toEqual(before);
  });

  test('with --yes they are posted; a second run finds none; reconcile finds no drift', async () => {
    const run = await adopt('--opening-balances --yes --batch-size 7', cwd);
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('posted 30  coins 4650  settled 0  skipped 0  errors 0');
    expect(await db.value('SELECT sum(amount)::text FROM entry')).toBe('4650');
    const again = await adopt('--opening-balances --yes --json', cwd);
    expect(again).toMatchObject({ status: 0 });
    expect(again.ofType('openingPlan')[0]).toMatchObject({ wallets: 0, coins: '0' });
    const check = await runTrueup(['reconcile', '--all', '--dry-run'], {
      databaseUrl: db.url,
      cwd,
    });
    expect(check.status).toBe(0);
  });

  test('with --json each entry is a line', async () => {
    const run = await adopt('--opening-balances --yes --json', cwd);
    expect(run.ofType('opening')).toHaveLength(30);
    expect(run.ofType('opening')[0]).toMatchObject({ walletId: '1', amount: '10', balance: '10' });
    expect(run.json().at(-1)).toMatchObject({ type: 'summary', posted: 30, coins: '4650' });
  });

  test('a column that nobody fills is named, before Trueup has made anything', async () => {
    await db.run(`ALTER TABLE entry ADD "Ticket No" int NOT NULL`);
    const before = await contents(db);
    const run = await adopt('--opening-balances --yes', cwd);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('"Ticket No" of the ledger must be given');
    expect(run.stderr).toContain('[feature_off]');
    expect(await contents(db)).toEqual(before);
  });

  test('a condition that every entry breaks ends the run soon, with its words', async () => {
    await db.run(`ALTER TABLE entry ADD CHECK (reason IN ('winner', 'gift'))`);
    const run = await adopt('--opening-balances --yes', cwd);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('entry_reason_check');
    expect(run.stderr.split('was left as it is').length - 1).toBe(5);
    expect(await db.value('SELECT count(*)::text FROM entry')).toBe('0');
    expect((await adopt('--opening-balances --yes --reason gift', cwd)).status).toBe(0);
  });
});
