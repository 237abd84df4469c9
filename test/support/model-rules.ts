import {
  free,
  kept,
  no,
  siblings,
  type Command,
  type ModelHold,
  type Prediction,
  type State,
} from './model-state.js';

/** What becomes of a command that nobody gave before. Its amount was read already. */

type Verdict = Prediction | undefined;
type Leg = readonly [
  wallet: number,
  amount: number,
  counterparty: number | null,
  reverses: number | null,
];
type Of<Verb extends Command['verb']> = Extract<Command, { verb: Verb }>;

/** The directions that the registry allows for the reasons of these histories. */
const DIRECTIONS: Readonly<Record<string, string>> = {
  winner: 'credit',
  purchase: 'debit',
  withdrawal: 'debit',
  correction: 'any',
  p2p_transfer: 'any',
};

export function decideFresh(
  state: State,
  command: Command,
  amount: number | undefined,
): Prediction {
  switch (command.verb) {
    case 'transfer':
      return transfer(state, command, amount ?? 0);
    case 'capture':
      return capture(state, command, amount);
    case 'release':
      return release(state, command);
    case 'reverse':
      return reverse(state, command, amount);
    case 'credit':
    case 'debit':
    case 'hold':
      return movement(state, command, amount ?? 0);
  }
}

function movement(
  state: State,
  command: Of<'credit' | 'debit' | 'hold'>,
  amount: number,
): Prediction {
  const { wallet, reason, currency, verb } = command;
  const direction = verb === 'credit' ? 'credit' : 'debit';
  const refused =
    badReason(reason, direction) ??
    unknownWallet(state, wallet) ??
    (currency !== undefined && currency !== state.wallets[wallet]?.currency
      ? no('currency_mismatch')
      : undefined) ??
    frozen(state, wallet) ??
    (verb === 'credit'
      ? tooFull(state, wallet, amount)
      : (tooPoor(state, wallet, amount) ?? overLimit(state, wallet, reason, amount)));
  if (refused !== undefined) return refused;
  if (verb === 'credit') return move(state, [[wallet, amount, null, null]], reason);
  count(state, wallet, reason, amount);
  if (verb === 'debit') return move(state, [[wallet, -amount, null, null]], reason);
  state.holds.push({ wallet, amount, reason, captured: 0, state: 'open' });
  return { status: 'held', replayed: false, hold: state.holds.length - 1 };
}

function transfer(state: State, command: Of<'transfer'>, amount: number): Prediction {
  const { from, to, reason = 'p2p_transfer' } = command;
  const refused =
    badReason(reason, 'both') ??
    unknownWallet(state, from, to) ??
    notBetween(state, from, to) ??
    frozen(state, from, to) ??
    tooPoor(state, from, amount) ??
    overLimit(state, from, reason, amount) ??
    tooFull(state, to, amount);
  if (refused !== undefined) return refused;
  count(state, from, reason, amount);
  return move(state, pair(from, to, amount), reason);
}

function capture(state: State, command: Of<'capture'>, asked: number | undefined): Prediction {
  const { to } = command;
  const hold = state.holds[command.hold];
  if (to !== undefined && state.wallets[to] === undefined) return no('unknown_wallet');
  if (hold === undefined) return no('unknown_hold');
  const amount = asked ?? kept(hold);
  const refused =
    (to === undefined ? undefined : notBetween(state, hold.wallet, to)) ??
    frozen(state, hold.wallet, ...(to === undefined ? [] : [to])) ??
    (hold.state === 'open' ? undefined : no('hold_closed')) ??
    (amount > kept(hold) ? no('exceeds_hold') : undefined) ??
    (to === undefined ? undefined : tooFull(state, to, amount));
  if (refused !== undefined) return refused;
  hold.captured += amount;
  if (hold.captured === hold.amount) hold.state = 'captured';
  else if (command.releaseRest) letGo(state, hold);
  const legs: Leg[] =
    to === undefined ? [[hold.wallet, -amount, null, null]] : pair(hold.wallet, to, amount);
  return move(state, legs, hold.reason, command.hold);
}

function release(state: State, command: Of<'release'>): Prediction {
  const hold = state.holds[command.hold];
  if (hold === undefined) return no('unknown_hold');
  const again = hold.state === 'released' && command.key === undefined;
  if (!again && hold.state !== 'open') return no('hold_closed');
  if (!again) letGo(state, hold);
  return { status: 'released', replayed: again, hold: command.hold };
}

function reverse(state: State, command: Of<'reverse'>, asked: number | undefined): Prediction {
  const places = siblings(state, command.entry);
  const entries = places.flatMap((place) => state.entries[place] ?? []);
  if (entries.length === 0) return no('unknown_entry');
  const legs = entries.map((one, at): Leg => {
    const amount = asked ?? Math.abs(one.amount);
    return [one.wallet, one.amount > 0 ? -amount : amount, one.counterparty, places[at] ?? null];
  });
  const least = Math.min(...entries.map((one) => Math.abs(one.amount)));
  const before = state.entries.some(
    ({ reverses }) => reverses !== null && places.includes(reverses),
  );
  const refused =
    frozen(state, ...entries.map(({ wallet }) => wallet)) ??
    (before ? no('already_reversed') : undefined) ??
    (asked !== undefined && asked > least ? no('exceeds_original') : undefined) ??
    legs
      .map(([wallet, amount]) => (amount < 0 ? tooPoor(state, wallet, -amount) : undefined))
      .find(Boolean) ??
    legs
      .map(([wallet, amount]) => (amount > 0 ? tooFull(state, wallet, amount) : undefined))
      .find(Boolean);
  return refused ?? move(state, legs, 'reversal');
}

function pair(from: number, to: number, amount: number): Leg[] {
  return [
    [from, -amount, to, null],
    [to, amount, from, null],
  ];
}

function move(
  state: State,
  legs: readonly Leg[],
  reason: string,
  hold: number | null = null,
): Prediction {
  const first = state.entries.length;
  for (const [wallet, amount, counterparty, reverses] of legs) {
    const owner = state.wallets[wallet];
    if (owner === undefined) throw new Error('a movement of no wallet');
    owner.balance += amount;
    const facts = { wallet, amount, counterparty, reverses, reason, hold };
    state.entries.push({ ...facts, transaction: first, balanceAfter: owner.balance });
  }
  return { status: 'posted', replayed: false, first, count: legs.length };
}

function letGo(state: State, hold: ModelHold): void {
  count(state, hold.wallet, hold.reason, -kept(hold));
  hold.state = 'released';
}

function count(state: State, wallet: number, reason: string, amount: number): void {
  for (const limit of state.limits) {
    if (limit.wallet === wallet && (limit.reason ?? reason) === reason) limit.spent += amount;
  }
}

function badReason(reason: string, direction: 'credit' | 'debit' | 'both'): Verdict {
  const allowed = DIRECTIONS[reason];
  if (allowed === undefined) return no('unknown_reason');
  return allowed === 'any' || allowed === direction ? undefined : no('reason_not_allowed');
}

function unknownWallet({ wallets }: State, ...named: number[]): Verdict {
  return named.every((one) => wallets[one] !== undefined) ? undefined : no('unknown_wallet');
}

function notBetween({ wallets }: State, from: number, to: number): Verdict {
  if (from === to) return no('same_wallet');
  return wallets[from]?.currency === wallets[to]?.currency ? undefined : no('currency_mismatch');
}

function frozen({ wallets }: State, ...named: number[]): Verdict {
  return named.some((one) => wallets[one]?.frozen === true) ? no('wallet_frozen') : undefined;
}

function tooPoor(state: State, wallet: number, amount: number): Verdict {
  const floor = state.wallets[wallet]?.floor ?? Number.NEGATIVE_INFINITY;
  return free(state, wallet) - amount < floor ? no('insufficient_funds') : undefined;
}

function overLimit({ limits }: State, wallet: number, reason: string, amount: number): Verdict {
  const over = limits.some(
    (limit) =>
      limit.wallet === wallet &&
      (limit.reason ?? reason) === reason &&
      limit.spent + amount > limit.amount,
  );
  return over ? no('limit_exceeded') : undefined;
}

function tooFull({ wallets }: State, wallet: number, amount: number): Verdict {
  const { balance, ceiling } = wallets[wallet] ?? { balance: 0, ceiling: null };
  return ceiling !== null && balance + amount > ceiling ? no('ceiling_exceeded') : undefined;
}
