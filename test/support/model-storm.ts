import type pg from 'pg';
import { expect } from 'vitest';
import { REFUSAL_CODES, TrueupError, type ItemOutcome, type Trueup } from '../../src/index.js';
import type { Call } from './model-arbitrary.js';
import type { Command, State } from './model-state.js';
import type { World } from './model-world.js';

/** Calls at the same time, whose order nobody knows: what must be true whatever it was. */

export interface Channels {
  readonly trueups: readonly [Trueup, Trueup];
  readonly clients: readonly [pg.Client, pg.Client];
}

/** Sends all calls at once, and holds what was answered against what is there afterwards. */
export async function storm(
  world: World,
  channels: Channels,
  calls: readonly Call[],
): Promise<void> {
  const before = world.state;
  const turns: [Promise<unknown>, Promise<unknown>] = [Promise.resolve(), Promise.resolve()];
  const answers = calls.map((call, index): Promise<readonly ItemOutcome[]> => {
    const side = index % 2 === 0 ? 0 : 1;
    const trueup = channels.trueups[side];
    const items = call.commands.map((one) => world.item(separateKey(one), call.byUser));
    if (call.channel < 2) return trueup.post(items);
    // A connection does one thing after the other.
    const client = channels.clients[side];
    const answer = turns[side].then(() =>
      call.channel === 2
        ? inTransaction(client, call.commit, () => trueup.within(client).post(items))
        : plainEntries(world, client, call.commands),
    );
    turns[side] = answer;
    return answer;
  });
  const outcomes = (await Promise.all(answers)).flat();
  world.state = await world.load();
  compare(world, before, outcomes);
}

/** Keys of entries, holds and releases are kept apart, so that a storm's winner is one of a kind. */
function separateKey(command: Command): Command {
  const kind = command.verb === 'hold' || command.verb === 'release' ? command.verb : 'entries';
  return command.key === undefined ? command : { ...command, key: `${kind}-${command.key}` };
}

/** The caller's own transaction. Being the victim of a deadlock is his to repeat. */
async function inTransaction(
  client: pg.Client,
  commit: boolean,
  work: () => Promise<readonly ItemOutcome[]>,
): Promise<readonly ItemOutcome[]> {
  await client.query('BEGIN');
  try {
    const outcomes = await work();
    await client.query(commit ? 'COMMIT' : 'ROLLBACK');
    return commit ? outcomes : [];
  } catch (error) {
    await client.query('ROLLBACK');
    expect(error instanceof TrueupError && error.message).toContain('40P01');
    return [];
  }
}

/** Entries by somebody who knows nothing of Trueup; the database keeps him from overdrawing. */
async function plainEntries(
  world: World,
  client: pg.Client,
  commands: readonly Command[],
): Promise<readonly ItemOutcome[]> {
  for (const command of commands) {
    if (command.verb !== 'credit' && command.verb !== 'debit') continue;
    const amount = Number(command.amount);
    if (!(Number.isSafeInteger(amount) && amount > 0)) continue;
    try {
      await client.query(
        `INSERT INTO trueup.entries (wallet_id, amount, reason) VALUES ($1, $2, 'plain')`,
        [world.walletId(command.wallet), command.verb === 'credit' ? amount : -amount],
      );
    } catch (error) {
      expect(['23514', 'TU001']).toContain((error as pg.DatabaseError).code);
    }
  }
  return [];
}

function compare(world: World, before: State, outcomes: readonly ItemOutcome[]): void {
  const { entries, holds, keys } = world.state;
  const predictions = outcomes.map((outcome) => ({ outcome, told: world.spell(outcome) }));
  const places = new Set<number>();
  const made = new Set<number>();
  for (const { outcome, told } of predictions) {
    if (told.status === 'refused') {
      expect(REFUSAL_CODES).toContain(told.code);
    } else if (told.status === 'posted' && outcome.status === 'posted') {
      expect(told.first).toBeGreaterThanOrEqual(0);
      for (const entry of outcome.entries) {
        // Others' entries of the same moment may have taken the ids between two of one posting.
        const at = world.placeOf(entry.entryId);
        const there = entries[at];
        expect(entry).toMatchObject({
          walletId: world.walletId(there?.wallet ?? -1),
          amount: BigInt(there?.amount ?? 0),
          balanceAfter: BigInt(there?.balanceAfter ?? 0),
        });
        if (told.replayed) continue;
        expect(places.has(at)).toBe(false);
        places.add(at);
      }
    } else if (told.status !== 'posted') {
      expect(holds[told.hold]).toBeDefined();
      if (told.status === 'held' && !told.replayed) made.add(told.hold);
    }
  }
  // What was answered is there, once, and nothing else is but what plain SQL wrote.
  const fresh = entries.flatMap((one, at) =>
    at >= before.entries.length && one.reason !== 'plain' ? [at] : [],
  );
  expect([...places].sort(ascending)).toEqual(fresh);
  expect([...made].sort(ascending)).toEqual(
    holds.flatMap((_, at) => (at >= before.holds.length ? [at] : [])),
  );
  expect(keys.size).toBeGreaterThanOrEqual(before.keys.size);
}

function ascending(left: number, right: number): number {
  return left - right;
}
