import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ItemOutcome } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { history, inRange, type Call, type Step } from '../support/model-arbitrary.js';
import type { Command } from '../support/model-state.js';
import { storm, type Channels } from '../support/model-storm.js';
import { limitWithdrawals, World } from '../support/model-world.js';
import { predict } from '../support/model.js';
import { brokenPromises } from '../support/promises.js';

/**
 * Random histories of all verbs against the real thing, through two Trueups, through `within` and by
 * plain SQL. What comes one after the other is predicted exactly, outcome and state, by a plain
 * model; after storms of calls at once, what was answered is what is there. Then every promise is
 * checked. A failure prints the seed and the path: give them to fc.assert to see it again.
 */

const RUNS = 40;

const db = await createDatabase('own');
await limitWithdrawals(db);
const channels: Channels = {
  trueups: [await db.trueup(), await db.trueup({ posting: { batchLimit: 3 } })],
  clients: [await db.connect(), await db.connect()],
};
const [trueup] = channels.trueups;
let histories = 0;
/** How often each outcome was seen: a model that only ever sees refusals proves nothing. */
const seen = new Map<string, number>();

test('random histories: the plain model predicts every outcome, and every promise holds', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      histories += 1;
      const world = await World.open(db, trueup, `h${String(histories)}`);
      await play(world, steps);
      expect(await brokenPromises(db, trueup)).toEqual([]);
    }),
    // A shrinking search would outlast the test: what it has found by then is reported.
    { numRuns: RUNS, interruptAfterTimeLimit: 60_000 },
  );
  for (const outcome of ['posted', 'posted before', 'held', 'released', 'insufficient_funds']) {
    expect([outcome, (seen.get(outcome) ?? 0) > 2]).toEqual([outcome, true]);
  }
}, 120_000);

async function play(world: World, steps: readonly Step[]): Promise<void> {
  const sent: Call[] = [];
  await expectPredicted(world, FUNDING);
  for (const step of steps) {
    switch (step.kind) {
      case 'freeze':
        await world.setFrozen(step.wallet, step.frozen);
        break;
      case 'storm':
        await storm(
          world,
          channels,
          step.calls.map((call) => resolved(world, call)),
        );
        expect(await brokenPromises(db, trueup)).toEqual([]);
        break;
      case 'batch':
        sent.push(resolved(world, step.call));
        await expectPredicted(world, sent.at(-1));
        break;
      case 'again': {
        const earlier = sent.at(-1 - step.which);
        await expectPredicted(world, repeated(earlier, step));
      }
    }
  }
}

/** So that there is something to spend. */
const FUNDING: Call = {
  channel: 0,
  byUser: true,
  commit: true,
  commands: [90, 120, 40, 10, 80, 60, 100].map((amount, wallet) => ({
    verb: 'credit',
    key: undefined,
    link: undefined,
    currency: undefined,
    wallet,
    amount,
    reason: 'winner',
  })),
};

function resolved(world: World, call: Call): Call {
  return { ...call, commands: call.commands.map((command) => inRange(command, world.state)) };
}

function repeated(
  call: Call | undefined,
  step: Extract<Step, { kind: 'again' }>,
): Call | undefined {
  if (call === undefined) return undefined;
  const altered = (command: Command): Command =>
    step.altered && 'amount' in command ? { ...command, amount: 17 } : command;
  return { ...call, channel: step.channel, commit: true, commands: call.commands.map(altered) };
}

/** Sends a call and holds outcomes, and then the whole state, against the prediction. */
async function expectPredicted(world: World, call: Call | undefined): Promise<void> {
  if (call === undefined) return;
  const { state, outcomes } = predict(world.state, call.commands);
  const answers = await send(world, call);
  if (call.channel < 2 || call.commit) {
    world.state = state;
    world.learn(answers);
  }
  for (const outcome of outcomes) {
    const word = outcome.status === 'refused' ? outcome.code : outcome.status;
    const name = outcome.status !== 'refused' && outcome.replayed ? `${word} before` : word;
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  if (call.channel < 2 || call.commit)
    expect(answers.map((one) => world.spell(one))).toEqual(outcomes);
  else expect(answers.map(({ status }) => status)).toEqual(outcomes.map(({ status }) => status));
  expect(await world.load()).toEqual(world.state);
}

async function send(world: World, call: Call): Promise<ItemOutcome[]> {
  const items = call.commands.map((command) => world.item(command, call.byUser));
  const [first, second] = channels.trueups;
  if (call.channel < 2) return (call.channel === 0 ? first : second).post(items);
  const [client] = channels.clients;
  await client.query('BEGIN');
  const outcomes = await trueup.within(client).post(items);
  await client.query(call.commit ? 'COMMIT' : 'ROLLBACK');
  return outcomes;
}
