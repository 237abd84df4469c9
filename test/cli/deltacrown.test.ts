import { beforeEach, expect, test } from 'vitest';
import { UNKNOWN_ADVICE } from '../../src/core/phrases.js';
import { runTrueup } from '../support/cli.js';
import { createDatabase } from '../support/database.js';
import { deltacrown, FOUND, platformIn, REPAIRED } from './deltacrown.js';
import { contents, hasTrueup } from './fixture.js';

/**
 * The platform that UP-M3 is about, adopted through the program alone: what its dry run found, its
 * repair, and what happens from then on. Every test begins with the platform as UP-M3 found it.
 */

const db = await createDatabase('empty');
const { load, trueup, shown } = platformIn(db);

deltacrown.describe('reconcile on the UP-M3 example', () => {
  beforeEach(load);

  test('the dry run says what the changelog says, line by line', async () => {
    const run = await trueup('reconcile --all --dry-run');
    expect(run).toMatchObject({ status: 2, stderr: '' });
    expect(run.stdout.replace(/seconds [\d.]+/, 'seconds N')).toBe(
      [
        'user 1  wallet lifetime earnings 0 -> 544  (cause unknown)',
        `  ${UNKNOWN_ADVICE}`,
        'user 1  profile balance 0 -> 494  (cause unknown)',
        'user 1  profile lifetime earnings 0 -> 544  (cause unknown)',
        'user 2  wallet lifetime earnings 0 -> 300  (cause unknown)',
        'user 2  profile balance 0 -> 280  (cause unknown)',
        'user 2  profile lifetime earnings 0 -> 300  (cause unknown)',
        'user 3  wallet lifetime earnings 0 -> 239  (cause unknown)',
        'user 3  profile balance 0 -> 239  (cause unknown)',
        'user 3  profile lifetime earnings 0 -> 239  (cause unknown)',
        'checked 5  drifted 3  balance drifts 3  earnings drifts 3  findings 9  repaired 0  skipped 0  errors 0  seconds N',
        'dry run: nothing was changed',
        '',
      ].join('\n'),
    );
  });

  test('the same as JSON Lines: ids and amounts are text, the summary is last', async () => {
    const run = await trueup('reconcile --all --dry-run --json');
    expect(run).toMatchObject({ status: 2, stderr: '' });
    expect(run.json().slice(0, -1)).toEqual(
      FOUND.map((finding) => ({ ...finding, repaired: false })),
    );
    const summary = run.json().at(-1) ?? {};
    expect(summary).toMatchObject({
      type: 'summary',
      dryRun: true,
      checked: 5,
      drifted: 3,
      balanceDrifts: 3,
      earningsDrifts: 3,
      findings: 9,
      repaired: 0,
      skipped: 0,
      errors: 0,
    });
    expect(summary['runId']).toMatch(/^[0-9a-f-]{36}$/);
    expect(summary['seconds']).toBeTypeOf('number');
  });

  test('a dry run changes nothing, and Trueup leaves no trace', async () => {
    const before = await contents(db);
    for (const words of ['--all', '--all --json --limit 2', '--user-id 1 --batch-size 1']) {
      expect((await trueup(`reconcile --dry-run ${words}`)).status).toBe(2);
    }
    expect(await contents(db)).toEqual(before);
    expect(await hasTrueup(db)).toBe(false);
  });

  test('the mapping in the current folder is found by itself', async () => {
    const run = await runTrueup(['reconcile', '--all', '--dry-run', '--json'], {
      databaseUrl: db.url,
      cwd: deltacrown.folder,
    });
    expect(run.ofType('finding')).toHaveLength(9);
  });

  test('--user-id repairs these users and nobody else', async () => {
    const run = await trueup('reconcile --user-id 1 --user-id 3 --json');
    expect(run.status).toBe(0);
    const theirs = FOUND.filter(({ userId }) => userId !== '2');
    expect(run.ofType('finding')).toEqual(
      theirs.map((finding) => ({ ...finding, repaired: true })),
    );
    expect(run.json().at(-1)).toMatchObject({
      type: 'summary',
      checked: 2,
      drifted: 2,
      repaired: 6,
    });
    expect(await shown()).toEqual(['1 494 544', '2 0 0', '3 239 239', '4 0 0', '5 0 0']);
  });

  test('--user-id twice for the same user counts him once', async () => {
    const run = await trueup('reconcile --user-id 2 --user-id 2 --json');
    expect(run.json().at(-1)).toMatchObject({ checked: 1, drifted: 1, repaired: 3 });
  });

  test('a run repairs all, a second one finds nothing and writes no cache', async () => {
    const first = await trueup('reconcile --all');
    expect(first.status).toBe(0);
    expect(first.lines()[2]).toBe('user 1  profile balance 0 -> 494  repaired  (cause unknown)');
    expect(first.lines().at(-1)).toBe('all that drifted was repaired');
    expect(await shown()).toEqual(REPAIRED);
    expect(
      await db.rows('SELECT lifetime_earnings::text FROM economy_deltacrownwallet ORDER BY id'),
    ).toEqual([544, 300, 239, 0, 0].map((n) => ({ lifetime_earnings: String(n) })));

    const caches = await application();
    const second = await trueup('reconcile --all --json');
    expect(second.status).toBe(0);
    expect(second.json()).toHaveLength(1);
    expect(second.json()[0]).toMatchObject({
      type: 'summary',
      checked: 5,
      findings: 0,
      repaired: 0,
    });
    expect(await application()).toEqual(caches);
  });

  test.each<[string, number, object]>([
    ['--limit 2', 3, { checked: 2, repaired: 6, incomplete: 'limit' }],
    ['--limit 2 --batch-size 1', 3, { checked: 2, repaired: 6, incomplete: 'limit' }],
    ['--limit 2 --dry-run', 2, { checked: 2, findings: 6, repaired: 0, incomplete: 'limit' }],
    ['--limit 2 --fail-on-drift', 2, { checked: 2, repaired: 6, incomplete: 'limit' }],
    ['--limit 5', 0, { checked: 5, repaired: 9, incomplete: null }],
    ['--limit 6', 0, { checked: 5, repaired: 9, incomplete: null }],
    ['--fail-on-drift', 2, { checked: 5, repaired: 9, incomplete: null }],
  ])('--all %s: status %i', async (words, status, summary) => {
    const run = await trueup(`reconcile --all --json ${words}`);
    expect(run.status).toBe(status);
    expect(run.json().at(-1)).toMatchObject({ ...summary, exitStatus: status });
  });

  test('--limit holds for named users too', async () => {
    const run = await trueup('reconcile --user-id 1 --user-id 2 --user-id 3 --limit 2 --json');
    expect(run.status).toBe(3);
    expect(run.json().at(-1)).toMatchObject({ checked: 2, incomplete: 'limit' });
  });

  test('--fail-on-drift says nothing where nothing drifted', async () => {
    await trueup('reconcile --all');
    expect((await trueup('reconcile --all --fail-on-drift')).status).toBe(0);
  });
});

/** The application's own tables, with the transaction that wrote each row. */
async function application(): Promise<string[]> {
  return (await contents(db)).filter((line) => line.startsWith('table public.'));
}
