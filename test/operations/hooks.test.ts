import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../../src/operations/alerts/command.js';
import { webhook } from '../../src/operations/alerts/webhook.js';
import { makeFolder } from '../support/folder.js';
import { createOutbox } from './outbox-support.js';
import { hang, Receiver, status } from './receiver.js';
import { LEDGER } from './support.js';

/** A webhook and a command are given an alert: what they get, and what counts as accepted. */

const { db, raise, deliver, undelivered } = await createOutbox();
const receiver = await Receiver.start();
const other = await Receiver.start();
const folder = makeFolder('alerts');
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What a shell would love to run. */
const NASTY = `"; touch '${join(folder, 'harm')}'; $(touch '${join(folder, 'harm')}') \`x\` %s 'it''s' ☃\n2`;

beforeEach(() => {
  receiver.will(status(200));
  other.will(status(200));
});

describe('a webhook', () => {
  test('gets the alert as JSON, once', async () => {
    await raise(NASTY);
    expect(await deliver(webhook(`${receiver.url}/hooks/secret?x=1`))).toMatchObject([
      { error: null },
    ]);
    expect(await deliver(webhook(receiver.url))).toEqual([]);
    expect(receiver.requests).toHaveLength(1);
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', url: '/hooks/secret?x=1' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'trueup-alert-id': '1',
    });
    expect(JSON.parse(request?.body ?? '')).toEqual({
      type: 'alert',
      id: '1',
      kind: 'drift',
      state: 'open',
      severity: 'warning',
      text: `Trueup: ${NASTY}`,
      message: NASTY,
      ledger: LEDGER,
      runId: null,
      raisedAt: expect.stringMatching(/Z$/) as string,
      openedAt: '2026-11-25T03:00:00.000Z',
      details: { drifted: 3 },
    });
  });

  test.each([204, 202, 299])('that answers with %i has accepted it', async (code) => {
    receiver.will(status(code));
    await raise();
    await deliver(webhook(receiver.url));
    expect(await undelivered()).toBe('0');
  });

  test.each([400, 404, 429, 500, 503])('that answers with %i has not', async (code) => {
    receiver.will(status(code));
    await raise();
    const [delivery] = await deliver(webhook(`${receiver.url}/secret`));
    expect(delivery?.error).toContain(`it answered with status ${String(code)}`);
    expect(delivery?.error).not.toContain('secret');
    expect(await undelivered()).toBe('1');
    receiver.will(status(200));
    await deliver(webhook(receiver.url));
    expect(await undelivered()).toBe('0');
  });

  test('that hangs is given up after its time', async () => {
    receiver.will(hang);
    await raise();
    const [delivery] = await deliver(webhook(receiver.url, 100));
    expect(delivery?.error).toContain('no answer within 0.1 seconds');
  });

  test('whose answer never ends is accepted by its status', async () => {
    receiver.will((_, response) => {
      response.writeHead(200);
      response.write('x');
    });
    await raise();
    expect(await deliver(webhook(receiver.url, 2_000))).toMatchObject([{ error: null }]);
  });

  test('that nobody listens at', async () => {
    await raise();
    const gone = await Receiver.start();
    await gone.close();
    const [delivery] = await deliver(webhook(`${gone.url}/secret`));
    expect(delivery?.error).toMatch(/^webhook: 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    expect(delivery?.error).not.toContain('secret');
  });

  test('with a name and a password in its address sends them as a header', async () => {
    await raise();
    await deliver(webhook(receiver.url.replace('http://', 'http://ada:p%40ss@')));
    expect(receiver.requests[0]?.headers['authorization']).toBe(
      `Basic ${Buffer.from('ada:p@ss').toString('base64')}`,
    );
  });

  test('is followed to another path of its host', async () => {
    receiver.will((request, response) => {
      if (request.url === '/new') response.writeHead(200).end();
      else response.writeHead(308, { location: '/new' }).end();
    });
    await raise();
    expect(await deliver(webhook(`${receiver.url}/old`))).toMatchObject([{ error: null }]);
    expect(receiver.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /old',
      'POST /new',
    ]);
    expect(receiver.requests[1]?.body).toContain('something drifted');
  });

  test.each([301, 302, 303, 307, 308])('is not followed to another host (%i)', async (code) => {
    receiver.will(status(code, { location: `${other.url}/secret` }));
    await raise();
    const [delivery] = await deliver(webhook(receiver.url));
    expect(delivery?.error).toContain(`redirects to ${other.url}, which is not followed`);
    expect(other.requests).toEqual([]);
  });

  test.each([301, 302, 303])('nor where the alert would be lost (%i)', async (code) => {
    receiver.will(status(code, { location: '/new' }));
    await raise();
    const [delivery] = await deliver(webhook(receiver.url));
    expect(delivery?.error).toContain('the alert would be lost');
    expect(receiver.requests).toHaveLength(1);
  });

  test('nor for ever', async () => {
    receiver.will(status(307, { location: '/again' }));
    await raise();
    const [delivery] = await deliver(webhook(receiver.url));
    expect(delivery?.error).toContain('again and again');
    expect(receiver.requests.length).toBeLessThan(6);
  });

  test.each(['', 'example.com', 'ftp://x/', 'file:///etc/passwd', 'javascript:1'])(
    'at %j is refused',
    (address) => {
      expect(() => webhook(address)).toThrow(
        expect.objectContaining({ code: 'invalid_argument' }) as Error,
      );
    },
  );
});

describe('a command', () => {
  const file = join(folder, 'said');
  beforeEach(() => {
    rmSync(file, { force: true });
  });

  test('gets the alert on stdin and in its environment, and nothing of it is run', async () => {
    await raise(NASTY);
    const line = `{ cat; printf '%s\\n' "$TRUEUP_ALERT_KIND" "$TRUEUP_ALERT_STATE" "$TRUEUP_ALERT_MESSAGE"; } > '${file}'`;
    expect(await deliver(command(line))).toMatchObject([{ error: null }]);
    const [json = '', kind, state, ...message] = readFileSync(file, 'utf8').split('\n');
    expect(JSON.parse(json)).toMatchObject({ type: 'alert', id: '1', message: NASTY });
    expect([kind, state]).toEqual(['drift', 'open']);
    expect(message.join('\n')).toBe(`${NASTY}\n`);
    expect(existsSync(join(folder, 'harm'))).toBe(false);
  });

  test('that reads nothing, and a message that no pipe can hold', async () => {
    await raise('x'.repeat(300_000));
    expect(await deliver(command('true'))).toMatchObject([{ error: null }]);
  });

  test('that fails has not accepted it, and its words are on record', async () => {
    await raise();
    const [delivery] = await deliver(command('echo no mail today >&2; exit 3'));
    expect(delivery?.error).toBe('command: the command ended with 3: no mail today');
    expect(await db.value('SELECT last_error FROM trueup.alerts')).toBe(delivery?.error);
    expect(await undelivered()).toBe('1');
  });

  test('that is missing', async () => {
    await raise();
    const [delivery] = await deliver(command('/no/such/program --now'));
    expect(delivery?.error).toMatch(/^command: the command ended with 127: .*not found/);
  });

  test('that hangs is ended with all that it has started', async () => {
    await raise();
    const line = `sleep 300 & echo "$!" > '${file}'; sleep 300`;
    const [delivery] = await deliver(command(line, 400));
    expect(delivery?.error).toBe('command: the command did not end within 0.4 seconds');
    const pid = Number(readFileSync(file, 'utf8'));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('that leaves something running is accepted when it ends itself', async () => {
    await raise();
    const line = `sleep 300 & echo "$!" > '${file}'`;
    expect(await deliver(command(line, 5_000))).toMatchObject([{ error: null }]);
    process.kill(Number(readFileSync(file, 'utf8')));
  });

  test('that is empty is refused', () => {
    expect(() => command('  ')).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    );
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // It may be dead, and nobody may have looked at it yet.
  return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
}
