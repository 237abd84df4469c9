import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Cause, Finding } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import {
  applyByHand,
  editOf,
  failing,
  forget,
  recorded,
  run,
  steps,
  switchSync,
  tamper,
  writeByHand,
  type Injection,
} from '../support/injections.js';
import { AMOUNTS, drift, namesOf, STAGES, unseen, type Stage } from '../support/stages.js';

/** Two faults at once, and faults at random: the first cause by precedence, the other one beside it. */

const db = await createDatabase('empty');
const stageOf = (name: string): Promise<Stage> => {
  const build = STAGES[name];
  if (build === undefined) throw new Error(`there is no stage ${name}`);
  return build(db);
};

/** `wallet balance direct_write+entry_missed, ...` */
function told(findings: readonly Finding[]): string[] {
  return findings.map(({ part, field, cause, evidence }) =>
    [`${part} ${field} ${cause}`, ...(evidence.also ?? [])].join('+'),
  );
}

const MIXES: Readonly<Record<string, readonly [Injection['inject'], readonly string[]]>> = {
  'a recorded write, and an entry that was missed': [
    run((stage) => `${unseen(writeByHand(stage, 17))}; ${unseen(stage.entry(701))}`),
    [
      'wallet balance direct_write+entry_missed',
      'wallet lifetimeEarnings entry_missed',
      'profile balance entry_missed',
      'profile lifetimeEarnings entry_missed',
    ],
  ],
  'a failure, and a recorded write of the profile': [
    run((stage) => {
      const { profile = '', shown = '' } = namesOf(stage);
      const update = `UPDATE ${profile} SET ${shown} = ${shown} + 19 WHERE id = ${stage.profileId}`;
      return `${failing(stage, 601)}; ${recorded(stage, 'profile', 'balance', [`'5901'`, `'5920'`])}; ${unseen(update)}`;
    }),
    ['profile balance sync_failed+direct_write', 'profile lifetimeEarnings sync_failed'],
  ],
  'a failure, and an entry that was missed': [
    steps(
      run((stage) => failing(stage, 601)),
      run((stage) => unseen(stage.entry(701))),
    ),
    [
      'wallet balance entry_missed',
      'wallet lifetimeEarnings entry_missed',
      'profile balance sync_failed+entry_missed',
      'profile lifetimeEarnings sync_failed+entry_missed',
    ],
  ],
  'an edited entry, and a recorded write': [
    run(
      (stage) => `${tamper(stage, editOf(stage, 2003, 1499))}; ${unseen(writeByHand(stage, 17))}`,
    ),
    [
      'wallet balance ledger_changed+direct_write',
      'wallet lifetimeEarnings ledger_changed',
      'profile balance ledger_changed',
      'profile lifetimeEarnings ledger_changed',
      'wallet balanceAfter ledger_changed',
    ],
  ],
  'what was wrong before, and a recorded write': [
    steps(
      forget,
      run((stage) => `${unseen(writeByHand(stage, 17, false))}; ${unseen(writeByHand(stage, 23))}`),
    ),
    ['wallet balance direct_write+before_adoption'],
  ],
  'a recorded write, and one that nobody saw': [
    run((stage) => `${unseen(writeByHand(stage, 17, false))}; ${unseen(writeByHand(stage, 23))}`),
    ['wallet balance direct_write'],
  ],
  'an application that adds its own entry, as the guard saw': [
    run((stage) => {
      const { wallet = '', balance = '', earned = '' } = namesOf(stage);
      const from = (column: string): [string, string] => [
        `(SELECT (${column} - 809)::text FROM ${wallet} WHERE id = ${stage.walletId})`,
        `(SELECT ${column}::text FROM ${wallet} WHERE id = ${stage.walletId})`,
      ];
      return `BEGIN; ${stage.entry(809)};
        ${recorded(stage, 'wallet', 'balance', from(balance))}; ${recorded(stage, 'wallet', 'lifetimeEarnings', from(earned))};
        SET LOCAL session_replication_role = replica; SET LOCAL trueup.writer = 'trueup';
        UPDATE ${wallet} SET ${balance} = ${balance} + 809, ${earned} = ${earned} + 809 WHERE id = ${stage.walletId}; COMMIT`;
    }),
    ['wallet balance entry_applied_twice', 'wallet lifetimeEarnings entry_applied_twice'],
  ],
};

describe.each(Object.keys(STAGES))('two causes on %s', (name) => {
  test.each(Object.entries(MIXES))('%s', async (_, [inject, expected]) => {
    const stage = await stageOf(name);
    await inject(stage);
    expect(told(await drift(stage))).toEqual(expected);
  });
});

test('what a recorded write does not explain is told', async () => {
  const stage = await stageOf('adopted tables');
  await db.run(`${unseen(writeByHand(stage, 17, false))}; ${unseen(writeByHand(stage, 23))}`);
  const [finding] = await drift(stage);
  expect(finding).toMatchObject({ delta: '-40', evidence: { unexplained: '-17' } });
  expect(finding?.evidence.writes).toMatchObject({
    change: '23',
    count: '1',
    last: [{ role: 'django', applicationName: 'gunicorn', oldValue: '5918', newValue: '5941' }],
  });
});

test('a repair is a new beginning: what was written before it explains nothing', async () => {
  const stage = await stageOf('adopted tables');
  await db.run(unseen(writeByHand(stage, 17)));
  await stage.trueup.reconcile({ userIds: ['1'] });
  expect(await drift(stage)).toEqual([]);
  await db.run(unseen(writeByHand(stage, 23, false)));
  expect(told(await drift(stage))).toEqual(['wallet balance unknown']);
});

test('a failure that waits, of a profile that was repaired since, explains nothing', async () => {
  const stage = await stageOf('adopted tables');
  await db.run(failing(stage, 601));
  await stage.trueup.reconcile({ userIds: ['1'] });
  const { profile = '', shown = '' } = namesOf(stage);
  await db.run(unseen(`UPDATE ${profile} SET ${shown} = ${shown} + 19 WHERE id = 101`));
  expect(told(await drift(stage))).toEqual(['profile balance unknown']);
});

test('a write that the guard kept out explains nothing', async () => {
  const stage = await stageOf('adopted tables');
  await db.run(unseen(writeByHand(stage, 17).replace(`'recorded'`, `'kept'`)));
  expect(told(await drift(stage))).toEqual(['wallet balance unknown']);
});

test('more entries in a gap than are looked at one by one: they are added up', async () => {
  const stage = await stageOf('adopted tables');
  for (let n = 1; n <= 20; n += 1) await db.run(stage.entry(2 * n));
  await db.run(switchSync(stage, 'DISABLE'));
  for (let n = 1; n <= 90; n += 1) await db.run(stage.entry(100 + n));
  const found = await drift(stage);
  expect(told(found)).toEqual([
    'wallet balance triggers_absent',
    'wallet lifetimeEarnings triggers_absent',
    'profile balance triggers_absent',
    'profile lifetimeEarnings triggers_absent',
  ]);
  expect(found[0]?.evidence.gap).toMatchObject({
    what: 'disabled',
    endedAt: null,
    entries: { entries: '90', amount: '13095', earned: '13095' },
  });
});

type Fault = readonly [Cause, (stage: Stage, amount: number) => string];
const FAULTS: readonly Fault[] = [
  ['sync_failed', failing],
  ['entry_missed', (stage, amount) => unseen(stage.entry(amount))],
  [
    'entry_applied_twice',
    (stage, amount) => `${stage.entry(amount)}; ${unseen(applyByHand(stage, amount))}`,
  ],
  [
    'entry_applied_twice',
    (stage, amount) => `${stage.entry(amount)}; ${unseen(writeByHand(stage, amount, false))}`,
  ],
  ['direct_write', (stage, amount) => unseen(writeByHand(stage, amount))],
  ['unknown', (stage, amount) => unseen(writeByHand(stage, amount, false))],
  ['ledger_changed', (stage, amount) => tamper(stage, editOf(stage, AMOUNTS[1] ?? 0, amount))],
];

test('one fault at random among entries at random: its cause, and no other', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...FAULTS),
      fc.integer({ min: 2_001, max: 4_000 }).map((n) => 2 * n + 1),
      fc.array(fc.integer({ min: 10_001, max: 50_000 }), { maxLength: 12 }),
      fc.nat({ max: 11 }),
      async ([cause, fault], amount, others, place) => {
        const stage = await stageOf('adopted tables');
        // Even amounts only: no sum of them can be the odd amount of the fault by chance.
        const entries = others.map((other) => stage.entry(2 * other));
        const before = entries.slice(0, place);
        for (const text of before) await db.run(text);
        await stage.trueup.reconcile({ all: true });
        await db.run(fault(stage, amount));
        for (const text of entries.slice(place)) await db.run(text);
        const found = await drift(stage);
        expect(found.length).toBeGreaterThan(0);
        expect(new Set(found.map((one) => one.cause))).toEqual(new Set([cause]));
      },
    ),
    { numRuns: 40 },
  );
});
