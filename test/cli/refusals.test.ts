import { beforeEach, describe, expect, test } from 'vitest';
import { runTrueup, type CliRun } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { contents, hasTrueup, STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** What the program refuses: mappings that are none or do not fit, and users it cannot know. */

const db = await createDatabase('empty');
const { mapping } = await createEconomy(db, 3);
await db.run(`INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 500), (2, 300), (3, -7)`);
await db.run(`INSERT INTO app.profile (id, user_id, shown, earned) VALUES (109, 9, 0, 0)`);
await db.run(`CREATE VIEW app.ledger_view AS SELECT * FROM app.ledger`);
const folder = temporaryFolder();
const good = writeConfig(folder, 'good.json', mapping);

beforeEach(async () => {
  await db.run('DROP SCHEMA IF EXISTS trueup CASCADE');
});

/** Runs a command that must be refused: status 1, one message with its code, nothing changed. */
async function refused(args: readonly string[], code: string): Promise<CliRun> {
  const before = await contents(db);
  const run = await runTrueup(args, { databaseUrl: db.url, cwd: folder });
  expect(run.stderr).toContain(`[${code}]`);
  expect(run.stderr).toMatch(/^trueup: /);
  expect(run.stderr).not.toMatch(STACK_TRACE);
  expect(run).toMatchObject({ status: 1, stdout: '' });
  expect(await contents(db)).toEqual(before);
  return run;
}

/** Every command that reads a mapping, and one that must not write anyway. */
const COMMANDS = {
  dryRun: ['reconcile', '--all', '--dry-run'],
  repair: ['reconcile', '--all'],
  install: ['sync', 'install'],
  status: ['sync', 'status'],
} as const;

const { ledger, wallet, profile } = mapping;

describe('a mapping that is none', () => {
  test.each<[string, object | string, string]>([
    ['not JSON', '{"ledger": ', 'is not JSON'],
    ['empty', '', 'is not JSON'],
    ['null', 'null', 'it: an object with the parts ledger and wallet is expected, not null'],
    ['a list', '[]', 'it: an object with the parts ledger and wallet is expected, not a list'],
    ['an unknown part', { ...mapping, profil: profile }, 'profil is not known'],
    [
      'an unknown key',
      { ...mapping, ledger: { ...ledger, amout: 'x' } },
      'ledger.amout is not known',
    ],
    ['no wallet', { ledger, profile }, 'wallet is missing'],
    ['no ledger', { wallet, profile }, 'ledger is missing'],
    [
      'no amount',
      { ...mapping, ledger: { table: 'app.ledger', id: 'id', wallet: 'wallet_id' } },
      'ledger.amount is missing',
    ],
    [
      'a number',
      { ...mapping, wallet: { ...wallet, balance: 5 } },
      'wallet.balance: the name of a column, as text, is expected, not the number 5',
    ],
    [
      'a null',
      { ...mapping, wallet: { ...wallet, balance: null } },
      'wallet.balance: the name of a column, as text, is expected, not null',
    ],
    [
      'a part that is a text',
      { ...mapping, profile: 'app.profile' },
      'profile: an object that names a table and its columns is expected, not the text "app.profile"',
    ],
    [
      'an empty name',
      { ...mapping, wallet: { ...wallet, table: '' } },
      'wallet.table: the name of a table, as text, is expected, and it is empty',
    ],
    [
      'a table in three parts',
      { ...mapping, wallet: { ...wallet, table: 'a.b.c' } },
      '"a.b.c" is not a table name',
    ],
  ])('%s', async (name, content, message) => {
    const file = writeConfig(folder, `${name.replaceAll(' ', '-')}.json`, content);
    const run = await refused([...COMMANDS.dryRun, '--config', file], 'config_invalid');
    expect(run.stderr).toContain(message);
  });

  test('whatever the command is', async () => {
    const file = writeConfig(folder, 'no mapping.json', []);
    for (const args of Object.values(COMMANDS)) {
      await refused([...args, '--config', file], 'config_invalid');
    }
  });

  test.each([['missing.json'], ['.']])('a file that cannot be read: %s', async (file) => {
    for (const args of Object.values(COMMANDS)) {
      const run = await refused([...args, '--config', file], 'config_not_found');
      expect(run.stderr).toContain(`cannot read ${file}`);
    }
  });
});

describe('a mapping that does not fit the database', () => {
  const misfits: readonly (readonly [string, object, readonly string[]])[] = [
    [
      'a table that does not exist',
      { ...mapping, ledger: { ...ledger, table: 'app.no_ledger' } },
      ['ledger.table', 'app.no_ledger'],
    ],
    [
      'a view',
      { ...mapping, ledger: { ...ledger, table: 'app.ledger_view' } },
      ['ledger.table', 'app.ledger_view', 'view'],
    ],
    [
      'a column that does not exist',
      { ...mapping, wallet: { ...wallet, balance: 'coins' } },
      ['wallet.balance', '"app"."wallet"', '"coins"'],
    ],
    [
      'another case of letters',
      { ...mapping, wallet: { ...wallet, balance: 'Balance' } },
      ['wallet.balance', '"Balance"'],
    ],
    [
      'an amount that is a text',
      { ...mapping, ledger: { ...ledger, amount: 'reason' } },
      ['ledger.amount', '"reason"', 'text', 'integer or numeric'],
    ],
    [
      'a balance that is a time',
      { ...mapping, profile: { ...profile, balance: 'touched' } },
      ['profile.balance', '"touched"', 'timestamp'],
    ],
    [
      'a wallet that is a text',
      { ...mapping, ledger: { ...ledger, wallet: 'key' } },
      ['ledger.wallet', '"key"', 'wallet.id'],
    ],
    [
      'a profile that no wallet names',
      { ledger, wallet: { table: 'app.wallet', id: 'id', balance: 'balance' }, profile },
      ['wallet.profile is missing'],
    ],
    [
      'two faults at once',
      { ledger: { ...ledger, table: 'nothing' }, wallet: { ...wallet, id: 'number' }, profile },
      ['ledger.table', 'nothing', 'wallet.id', '"number"'],
    ],
  ];
  const cases = misfits.flatMap((misfit) =>
    Object.entries(COMMANDS).map(([command, args]) => [command, ...misfit, args] as const),
  );

  test.each(cases)('%s: %s', async (command, name, content, names, args) => {
    const file = writeConfig(folder, `${command}-${name.replaceAll(' ', '-')}.json`, content);
    const run = await refused([...args, '--config', file], 'mapping_mismatch');
    for (const text of names) expect(run.stderr).toContain(text);
    expect(await hasTrueup(db)).toBe(false);
  });

  test('the message names the file that is to be corrected', async () => {
    const file = writeConfig(folder, 'nightly.json', {
      ...mapping,
      wallet: { ...wallet, balance: 'coins' },
    });
    const run = await refused([...COMMANDS.dryRun, '--config', file], 'mapping_mismatch');
    expect(run.stderr).toContain('nightly.json');
    expect(run.stderr).not.toContain('trueup.config.json');
  });
});

describe('no mapping at all', () => {
  test('Trueup looks for its own tables, reading only, and says how to make them', async () => {
    const run = await refused(COMMANDS.dryRun, 'schema_missing');
    expect(run.stderr).toContain('trueup migrate');
    expect(run.stderr).toContain('trueup.config.json');
  });
});

describe('users', () => {
  const unknown: readonly (readonly [string, readonly string[], string, string])[] = [
    ['that nobody knows', ['99'], 'user_not_found', 'user 99'],
    ['of whom one is unknown', ['1', '99', '2'], 'user_not_found', 'user 99'],
    ['whose id is no number', ['abc'], 'invalid_argument', 'abc'],
    ['whose id is too long', ['9'.repeat(30)], 'invalid_argument', '9'.repeat(30)],
    ['whose id is a fraction', ['1.5'], 'invalid_argument', '1.5'],
    ['whose id is empty', [''], 'invalid_argument', 'user'],
    ['who is an attack', [`1'; DROP TABLE app.ledger; --`], 'invalid_argument', 'DROP TABLE'],
    ['who has no wallet', ['9'], 'wallet_not_found', 'user 9'],
    ['of whom one has no wallet', ['1', '9'], 'wallet_not_found', 'user 9'],
  ];
  const cases = unknown.flatMap((one) => [[...one, []] as const, [...one, ['--dry-run']] as const]);

  test.each(cases)('%s (%j, %s, %s, %j)', async (_, ids, code, message, flags) => {
    // With its schema there, so that nothing at all may change.
    await runTrueup(['migrate', '--config', good], { databaseUrl: db.url });
    expect(await hasTrueup(db)).toBe(true);
    const users = ids.flatMap((id) => ['--user-id', id]);
    const run = await refused(['reconcile', ...users, ...flags, '--config', good], code);
    expect(run.stderr).toContain(message);
  });

  test('the one wrong id among several is told', async () => {
    const args = ['reconcile', '--user-id', '1', '--user-id', 'abc', '--dry-run', '--config', good];
    const run = await refused(args, 'invalid_argument');
    expect(run.stderr).toMatch(/^trueup: abc cannot be the id of a user/);
  });

  test('where the mapping does not say whose a profile is', async () => {
    const file = writeConfig(folder, 'no-user.json', {
      ...mapping,
      profile: { table: 'app.profile', id: 'id', balance: 'shown' },
    });
    const args = ['reconcile', '--user-id', '1', '--dry-run', '--config', file];
    expect((await refused(args, 'feature_off')).stderr).toContain('profile.user');
  });
});
