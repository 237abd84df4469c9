import { decideFresh } from './model-rules.js';
import {
  coins,
  no,
  siblings,
  type Command,
  type ModelEntry,
  type ModelUse,
  type Prediction,
  type State,
} from './model-state.js';

/** Predicts what a batch does to a state, and does it: one outcome for each item. */
export function predict(
  before: State,
  commands: readonly Command[],
): { readonly state: State; readonly outcomes: readonly Prediction[] } {
  let state = structuredClone(before);
  const outcomes: Prediction[] = [];
  for (let from = 0; from < commands.length;) {
    const link = commands[from]?.link;
    let to = from + 1;
    while (link !== undefined && commands[to]?.link === link) to += 1;
    const attempt = structuredClone(state);
    const group = commands.slice(from, to).map((command) => predictOne(attempt, command));
    if (group.length > 1 && group.some(({ status }) => status === 'refused')) {
      const unchanged = state;
      outcomes.push(
        ...group.map((one) => (stands(unchanged, one) ? one : no('linked_item_refused'))),
      );
    } else {
      state = attempt;
      outcomes.push(...group);
    }
    from = to;
  }
  return { state, outcomes };
}

/** Whether an outcome is true although its link was not posted. */
function stands({ entries, holds }: State, one: Prediction): boolean {
  if (one.status === 'refused') return true;
  if (!one.replayed) return false;
  if (one.status === 'posted') return one.first < entries.length;
  return one.status === 'held' ? one.hold < holds.length : holds[one.hold]?.state === 'released';
}

function predictOne(state: State, command: Command): Prediction {
  const amount = command.verb === 'release' ? undefined : coins(command.amount);
  const leftOut =
    command.verb === 'release' ||
    ((command.verb === 'capture' || command.verb === 'reverse') && command.amount === undefined);
  if (amount === undefined && !leftOut) return no('invalid_amount');
  const use = command.key === undefined ? undefined : state.keys.get(command.key);
  if (use !== undefined) return repeat(state, command, use, amount);
  const outcome = decideFresh(state, command, amount);
  if (command.key !== undefined && outcome.status !== 'refused') {
    state.keys.set(command.key, useOf(outcome));
  }
  return outcome;
}

function useOf(outcome: Exclude<Prediction, { status: 'refused' }>): ModelUse {
  return outcome.status === 'posted'
    ? { kind: 'entries', first: outcome.first, count: outcome.count }
    : { kind: outcome.status === 'held' ? 'hold' : 'release', hold: outcome.hold };
}

/** A key that was used: the first result again, or a conflict. */
function repeat(state: State, command: Command, use: ModelUse, amount?: number): Prediction {
  if (use.kind === 'entries') {
    const entry = state.entries[use.first];
    if (entry === undefined || !isSame(state, command, entry, amount)) {
      return no('idempotency_conflict');
    }
    return { status: 'posted', replayed: true, first: use.first, count: use.count };
  }
  const hold = state.holds[use.hold];
  const same =
    use.kind === 'release'
      ? command.verb === 'release' && command.hold === use.hold
      : command.verb === 'hold' &&
        command.wallet === hold?.wallet &&
        command.reason === hold.reason &&
        amount === hold.amount;
  if (!same) return no('idempotency_conflict');
  return { status: use.kind === 'hold' ? 'held' : 'released', replayed: true, hold: use.hold };
}

/** Whether a command asks for exactly what this first entry of a posting did. */
function isSame(state: State, command: Command, entry: ModelEntry, amount?: number): boolean {
  const asked = {
    wallet: entry.wallet,
    counterparty: null as number | null,
    reason: entry.reason,
    amount: -(amount ?? -entry.amount),
    hold: null as number | null,
    reverses: null as number | null,
  };
  switch (command.verb) {
    case 'credit':
    case 'debit':
      asked.wallet = command.wallet;
      asked.reason = command.reason;
      if (command.verb === 'credit') asked.amount = amount ?? 0;
      break;
    case 'transfer':
      asked.wallet = command.from;
      asked.counterparty = command.to;
      asked.reason = command.reason ?? 'p2p_transfer';
      break;
    case 'capture':
      asked.hold = command.hold;
      asked.counterparty = command.to ?? null;
      break;
    case 'reverse': {
      const [first] = siblings(state, command.entry);
      const original = first === undefined ? 0 : (state.entries[first]?.amount ?? 0);
      asked.reverses = first ?? -1;
      asked.counterparty = entry.counterparty;
      asked.amount = original > 0 ? -(amount ?? original) : (amount ?? -original);
      asked.reason = 'reversal';
      break;
    }
    case 'hold':
    case 'release':
      return false;
  }
  return Object.entries(asked).every(
    ([field, value]) => entry[field as keyof typeof asked] === value,
  );
}
