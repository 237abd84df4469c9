import { describe, expect, test } from 'vitest';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { createEconomy } from '../support/economy.js';
import { Receiver, status } from '../operations/receiver.js';
import { STACK_TRACE, temporaryFolder, writeConfig } from './fixture.js';

/** `trueup reconcile --unattended`, as another scheduler runs it: whom it tells, and how it ends. */

const db = await createDatabase('empty');
const folder = temporaryFolder();
const receiver = await Receiver.start();
const economy = await createEconomy(db, 3);
const config = writeConfig(folder, 'app.json', economy.mapping);
const RUN = ['reconcile', '--all', '--quiet', '--config', config];

async function drift(): Promise<void> {
  await db.run('INSERT INTO app.ledger (wallet_id, amount) VALUES (1, 7)');
}

const kinds = (): string[] =>
  receiver.requests.map(({ body }) => {
    const { kind, state } = JSON.parse(body) as { kind: string; state: string };
    return `${kind} ${state}`;
  });

describe('an unattended run', () => {
  test('tells the webhook of its flag what it found, and later that it is over', async () => {
    await drift();
    receiver.will(status(204));
    const first = await runTrueup([...RUN, '--unattended', '--alert-webhook', receiver.url], {
      databaseUrl: db.url,
    });
    expect(first.status).toBe(0);
    expect(first.stderr).not.toMatch(STACK_TRACE);
    expect(kinds()).toContain('drift open');
    receiver.will(status(204));
    await runTrueup([...RUN, '--unattended'], {
      databaseUrl: db.url,
      env: { TRUEUP_ALERT_WEBHOOK: receiver.url },
    });
    expect(kinds()).toContain('drift recovered');
    receiver.will(status(204));
    await runTrueup([...RUN, '--unattended', '--alert-webhook', receiver.url], {
      databaseUrl: db.url,
    });
    expect(kinds()).toEqual([]);
  });

  test('ends as it would where the webhook refuses, and the next one tells it', async () => {
    await drift();
    receiver.will(status(500));
    const run = await runTrueup([...RUN, '--unattended', '--alert-webhook', receiver.url], {
      databaseUrl: db.url,
    });
    expect(run.status).toBe(0);
    expect(run.stderr).toMatch(/alerts that were not accepted: \d; they are tried again/);
    receiver.will(status(200));
    await db.run('UPDATE trueup.alerts SET next_attempt_at = now()');
    await runTrueup([...RUN, '--unattended', '--alert-webhook', receiver.url], {
      databaseUrl: db.url,
    });
    expect(kinds()).toContain('drift open');
  });

  test('that a safety rail stops says so, with the command that overrides it', async () => {
    await drift();
    receiver.will(status(200));
    const run = await runTrueup(
      [...RUN, '--unattended', '--max-repairs', '0', '--alert-webhook', receiver.url],
      { databaseUrl: db.url },
    );
    expect(run.status).toBe(4);
    const rail = receiver.requests.find(({ body }) => body.includes('"kind":"rail"'));
    expect(JSON.parse(rail?.body ?? '')).toMatchObject({
      severity: 'critical',
      message: expect.stringMatching(
        /stopped the run before its first repair.*trueup reconcile --resume \S+ --max-repairs 1/,
      ) as string,
    });
    await runTrueup(RUN, { databaseUrl: db.url });
  });

  test('a run that people watch tells nobody, and its flags would be a mistake', async () => {
    await drift();
    receiver.will(status(200));
    const watched = await runTrueup(RUN, {
      databaseUrl: db.url,
      env: { TRUEUP_ALERT_WEBHOOK: receiver.url },
    });
    expect(watched.status).toBe(0);
    expect(kinds()).toEqual([]);
    const mistake = await runTrueup([...RUN, '--alert-command', 'true'], { databaseUrl: db.url });
    expect(mistake.status).toBe(64);
    expect(mistake.stderr).toContain('--alert-webhook and --alert-command need --unattended');
  });
});

describe('trueup schedule', () => {
  test('prints to stdout, needs no database, and refuses what it cannot print', async () => {
    const printed = await runTrueup(['schedule', '--print', 'cron', '--', '--jobs', '2']);
    expect(printed.status).toBe(0);
    expect(printed.stdout).toMatch(
      /\n0 3 \* \* \* trueup cd \S+ .* reconcile --all --unattended --quiet --jobs 2 >\/dev\/null\n$/,
    );
    for (const args of [
      ['schedule'],
      ['schedule', '--print', 'at'],
      ['schedule', '--print', 'k8s', '--schedule', '0 3 L * *'],
      ['schedule', '--print', 'systemd', '--time-zone', 'Nowhere'],
    ]) {
      const refused = await runTrueup(args);
      expect([args, refused.status, refused.stdout]).toEqual([args, 64, '']);
      expect(refused.stderr).not.toMatch(STACK_TRACE);
    }
  });
});
