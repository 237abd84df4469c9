import { describe, expect, test } from 'vitest';
import { CAUSES } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { INJECTIONS } from '../support/injections.js';
import { drift, STAGES } from '../support/stages.js';

/**
 * Every fault on every stage: the findings name its cause and no other one. A dry run sees it, and the
 * repair puts the same on record.
 */

const db = await createDatabase('empty');

test('there is a fault for every cause', () => {
  const injected = new Set(Object.values(INJECTIONS).map(({ cause }) => cause));
  expect([...injected].sort()).toEqual([...CAUSES].sort());
});

describe.each(Object.entries(STAGES))('on %s', (_, build) => {
  test.each(Object.entries(INJECTIONS))('%s', async (name, { cause, inject, possible }) => {
    const stage = await build(db);
    if (possible?.(stage) === false) return;
    expect(await drift(stage)).toEqual([]);
    await inject(stage);
    const found = await drift(stage);
    expect(found.length, name).toBeGreaterThan(0);
    expect(
      found.map(({ part, field, ...one }) => `${part} ${field} ${one.cause}`),
      name,
    ).toEqual(found.map(({ part, field }) => `${part} ${field} ${cause}`));
    for (const { evidence } of found) expect(evidence.also).toBeUndefined();

    const repaired: string[] = [];
    await stage.trueup.reconcile({
      all: true,
      onFinding: (finding) => repaired.push(finding.cause),
    });
    expect(new Set(repaired), name).toEqual(new Set([cause]));
    const recorded = await db.rows(
      'SELECT DISTINCT cause FROM trueup.repairs WHERE repaired_at = (SELECT max(repaired_at) FROM trueup.repairs)',
    );
    const isLeft = found.every(({ field }) => field === 'balanceAfter') || !REPAIRABLE.has(cause);
    if (!isLeft) expect(recorded, name).toEqual([{ cause }]);
  });
});

const REPAIRABLE = new Set(
  CAUSES.filter((cause) => !['wallet_missing', 'profile_missing', 'no_history'].includes(cause)),
);
