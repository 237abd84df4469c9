import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { runTrueup, startTrueup } from '../support/cli.js';
import { createDatabase, WAITING } from '../support/database.js';
import { caches, createEconomy, truth, type Economy } from '../support/economy.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** Signals, readers that go away, and what goes to which stream. */

const db = await createDatabase('empty');
const folder = temporaryFolder();

const WALLETS = 300;

/** Wallets up to this one can be repaired while the gate is closed. */
const FREE = 100;

interface Gated {
  readonly economy: Economy;
  readonly config: string;
  /** Lets the repair of the wallets behind the gate go on. */
  readonly open: () => Promise<void>;
}

let gates = 0;

/**
 * Wallets that have all drifted, and a gate: whoever updates a wallet behind it waits until the test
 * opens it. So a run cannot end before the test has done what it wants to do meanwhile.
 */
async function gatedEconomy(): Promise<Gated> {
  gates += 1;
  const schema = `app${String(gates)}`;
  const economy = await createEconomy(db, 0, { schema });
  await db.run(`
    INSERT INTO ${schema}.profile (id, user_id, shown, earned)
      SELECT 1000 + n, n, 0, 0 FROM generate_series(1, ${String(WALLETS)}) n;
    INSERT INTO ${schema}.wallet (id, profile_id, balance, earned)
      SELECT n, 1000 + n, 0, 0 FROM generate_series(1, ${String(WALLETS)}) n;
    INSERT INTO ${schema}.ledger (wallet_id, amount)
      SELECT n, n * 10 FROM generate_series(1, ${String(WALLETS)}) n;
    CREATE FUNCTION ${schema}.wait() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(${String(gates)}); RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE UPDATE ON ${schema}.wallet FOR EACH ROW
      WHEN (NEW.id > ${String(FREE)}) EXECUTE FUNCTION ${schema}.wait();`);
  const key = gates;
  const keeper: pg.Client = await db.connect();
  await keeper.query('SELECT pg_advisory_lock($1)', [key]);
  return {
    economy,
    config: writeConfig(folder, `${schema}.json`, economy.mapping),
    open: async () => {
      await keeper.query('SELECT pg_advisory_unlock($1)', [key]);
    },
  };
}

const SLOWLY = ['reconcile', '--all', '--batch-size', '1'];

describe('a signal', () => {
  test.each<['SIGINT' | 'SIGTERM', readonly string[]]>([
    ['SIGINT', []],
    ['SIGINT', ['--json']],
    ['SIGTERM', ['--json']],
  ])('%s ends a run after its batch, with status 3 and its summary (%j)', async (signal, flags) => {
    const { economy, config, open } = await gatedEconomy();
    const run = startTrueup([...SLOWLY, ...flags, '--config', config], { databaseUrl: db.url });
    await run.saw('stdout', '\n');
    run.child.kill(signal);
    await run.saw('stderr', 'stopping after this batch');
    await open();
    const ended = await run.ended;

    expect(ended.status).toBe(3);
    expect(ended.stderr).toContain(signal);
    expect(ended.stderr).not.toMatch(STACK_TRACE);
    const repaired = await db.value(
      `SELECT count(*)::text FROM ${economy.wallet} WHERE balance > 0`,
    );
    expect(Number(repaired)).toBeGreaterThan(0);
    expect(Number(repaired)).toBeLessThan(WALLETS);
    if (flags.includes('--json')) {
      const summary = ended.json().at(-1);
      expect(summary).toMatchObject({ type: 'summary', incomplete: 'interrupted', exitStatus: 3 });
      expect(ended.ofType('summary')).toHaveLength(1);
      expect(summary).toMatchObject({ drifted: Number(repaired), repaired: Number(repaired) * 4 });
      expect(ended.ofType('finding')).toHaveLength(Number(repaired) * 4);
    } else {
      expect(ended.lines().at(-2)).toMatch(new RegExp(`^checked \\d+ {2}drifted ${repaired} `));
      expect(ended.lines().at(-1)).toContain('incomplete: interrupted');
    }

    const next = await runTrueup(['reconcile', '--all', '--config', config], {
      databaseUrl: db.url,
    });
    expect(next.status).toBe(0);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });

  test('a second one ends the process at once, and the next run does the rest', async () => {
    const { economy, config, open } = await gatedEconomy();
    const run = startTrueup([...SLOWLY, '--json', '--config', config], { databaseUrl: db.url });
    await run.saw('stdout', `"userId":"${String(FREE)}"`);
    await expect.poll(() => db.rows(WAITING)).not.toEqual([]);
    run.child.kill('SIGINT');
    await run.saw('stderr', 'once more stops at once');
    run.child.kill('SIGINT');
    const ended = await run.ended;
    expect(ended.status).toBe(130);
    expect(ended.ofType('summary')).toEqual([]);
    expect(ended.stderr).not.toMatch(STACK_TRACE);

    await open();
    const next = await runTrueup(['reconcile', '--all', '--config', config], {
      databaseUrl: db.url,
    });
    expect(next.status).toBe(0);
    expect(await caches(db, economy)).toEqual(await truth(db, economy));
  });
});

describe('a reader that goes away', () => {
  test('after the first line (as `head -1` does): the run stops, without a stack trace', async () => {
    const { economy, config, open } = await gatedEconomy();
    const run = startTrueup([...SLOWLY, '--config', config], { databaseUrl: db.url });
    await run.saw('stdout', '\n');
    run.child.stdout?.destroy();
    await open();
    const ended = await run.ended;
    expect(ended.stderr).not.toMatch(STACK_TRACE);
    expect(ended.stderr).not.toContain('EPIPE');
    expect(ended.status).toBe(3);
    // Whoever was begun was finished: wallet and profile agree with the ledger, or both are untouched.
    const expected = await truth(db, economy);
    const untouched = (line: string): boolean => /^\d+ 0 0 \| 0 0$/.test(line);
    const rest = (await caches(db, economy)).filter((line) => !untouched(line));
    expect(expected).toEqual(expect.arrayContaining(rest));
    expect(rest.length).toBeLessThan(WALLETS);
  });

  test.each([
    ['--help'],
    ['--version'],
    ['reconcile --help'],
    ['reconcile --all --dry-run'],
    ['reconcile --all --dry-run --json'],
    ['sync install'],
    ['sync status'],
    ['sync status --json'],
    ['sync heal'],
    ['sync remove'],
    ['migrate'],
  ])('before the first line: %s prints no stack trace', async (words) => {
    const { config, open } = await gatedEconomy();
    await open();
    const run = await runTrueup(
      [
        ...words.split(' '),
        ...(words.includes('-h') || words === '--version' ? [] : ['--config', config]),
      ],
      { databaseUrl: db.url, closeStdout: true },
    );
    expect(run.stderr).not.toMatch(STACK_TRACE);
    expect(run.stderr).not.toContain('EPIPE');
    expect([0, 2]).toContain(run.status);
  });
});

describe('progress', () => {
  const dryRun = ['reconcile', '--all', '--dry-run', '--batch-size', '50'];

  test('--verbose says every hundred wallets on stderr; stdout is the same without it', async () => {
    const { config, open } = await gatedEconomy();
    await open();
    const [verbose, plain, quiet] = await Promise.all(
      [['--verbose'], [], ['--quiet']].map((flags) =>
        runTrueup([...dryRun, ...flags, '--json', '--config', config], { databaseUrl: db.url }),
      ),
    );
    expect(verbose?.stderr).toBe('100/300 wallets\n200/300 wallets\n300/300 wallets\n');
    expect(plain?.stderr).toBe('');
    expect(quiet?.stderr).toBe('');
    expect(verbose?.ofType('finding')).toHaveLength(WALLETS * 4);
    expect(verbose?.ofType('finding')).toEqual(plain?.ofType('finding'));
    expect(quiet?.ofType('finding')).toEqual(plain?.ofType('finding'));
  });
});
