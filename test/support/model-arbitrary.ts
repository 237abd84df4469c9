import fc from 'fast-check';
import type { Command, State } from './model-state.js';
import { WALLET_COUNT } from './model-world.js';

/** Random histories: batches one after the other, repeats, freezing, and storms of calls at once. */

/** Commands whose holds and entries are any numbers yet, to be brought into range when it is their turn. */
export interface Call {
  /** 0 and 1: two Trueups; 2: `within` a transaction; 3: plain SQL, in storms only. */
  readonly channel: number;
  readonly commands: readonly Command[];
  readonly byUser: boolean;
  /** Of a transaction of the caller: whether he commits. */
  readonly commit: boolean;
}

export type Step =
  | { readonly kind: 'batch'; readonly call: Call }
  /** One of the last batches again, or one that differs in an amount. */
  | {
      readonly kind: 'again';
      readonly which: number;
      readonly altered: boolean;
      readonly channel: number;
    }
  | { readonly kind: 'freeze'; readonly wallet: number; readonly frozen: boolean }
  | { readonly kind: 'storm'; readonly calls: readonly Call[] };

/** A place at which nothing will ever stand. */
const NOWHERE = 1_000_000;

const anyWallet = fc.oneof(
  { weight: 40, arbitrary: fc.nat(WALLET_COUNT - 1) },
  { weight: 1, arbitrary: fc.constant(WALLET_COUNT) },
);
/** Of one currency mostly, so that coins can go from one to the other. */
const twoWallets = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constantFrom(0, 1, 2, 3, 6), fc.constantFrom(0, 1, 2, 3, 6)),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(4, 5), fc.constantFrom(4, 5)) },
  { weight: 1, arbitrary: fc.tuple(anyWallet, anyWallet) },
);
const amount = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1, max: 80 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 80 }).map(BigInt) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 80 }).map(String) },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(0, -5, 1.5, '07 ', 2 ** 53, null, Number.NaN) },
);
const some = fc.option(amount, { nil: undefined });
const place = fc.oneof(
  { weight: 20, arbitrary: fc.nat(1_000) },
  { weight: 1, arbitrary: fc.constant(NOWHERE) },
);
const key = fc.option(fc.nat(40).map(String), { nil: undefined, freq: 2 });

const reasons = (...usual: string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom('winner', 'purchase', 'nonsense') },
  );

const spending = reasons('purchase', 'withdrawal', 'correction');
const movement = fc
  .record({
    verb: fc.constantFrom('credit', 'credit', 'debit', 'hold', 'hold'),
    wallet: anyWallet,
    amount,
    currency: fc.option(fc.constantFrom('coins', 'gems'), { nil: undefined, freq: 8 }),
    incoming: reasons('winner', 'correction'),
    outgoing: spending,
  })
  .map(({ incoming, outgoing, ...one }) => ({
    ...one,
    reason: one.verb === 'credit' ? incoming : outgoing,
  }));
const transfer = fc
  .record({
    wallets: twoWallets,
    amount,
    reason: fc.option(reasons('correction'), { nil: undefined, freq: 3 }),
  })
  .map(({ wallets: [from, to], ...one }) => ({ verb: 'transfer', from, to, ...one }));
const capture = fc.record({
  verb: fc.constant('capture'),
  hold: place,
  amount: some,
  to: fc.option(
    twoWallets.map(([to]) => to),
    { nil: undefined },
  ),
  releaseRest: fc.boolean(),
});
const release = fc.record({ verb: fc.constant('release'), hold: place });
const reversal = fc.record({
  verb: fc.constant('reverse'),
  entry: place,
  amount: some,
  byTransaction: fc.boolean(),
});

const item: fc.Arbitrary<Omit<Command, 'link'>> = fc
  .tuple(
    key,
    fc.oneof(
      { weight: 6, arbitrary: movement },
      { weight: 3, arbitrary: transfer },
      { weight: 3, arbitrary: capture },
      { weight: 1, arbitrary: release },
      { weight: 2, arbitrary: reversal },
    ),
  )
  .map(([one, command]) => ({ key: one, ...command }) as Omit<Command, 'link'>);

/** Items of a call: linked in one go, in part, or not at all. */
const commandsOf = (most: number): fc.Arbitrary<Command[]> =>
  fc.tuple(fc.array(item, { minLength: 1, maxLength: most }), fc.nat(9), fc.nat(most)).map(
    ([items, linking, from]) =>
      items.map((one, index) => ({
        ...one,
        link: linking < 2 || (linking < 4 && index >= from) ? 'link' : undefined,
      })) as Command[],
  );

const call = (most: number, channels: number): fc.Arbitrary<Call> =>
  fc.record({
    channel: fc.nat(channels - 1),
    commands: commandsOf(most),
    byUser: fc.boolean(),
    commit: fc.nat(3).map((chance) => chance > 0),
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: call(4, 3).map((one): Step => ({ kind: 'batch', call: one })) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('again' as const),
      which: fc.nat(3),
      altered: fc.boolean(),
      channel: fc.nat(2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('freeze' as const),
      wallet: fc.nat(WALLET_COUNT - 1),
      frozen: fc.nat(2).map((chance) => chance === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(call(2, 4), { minLength: 4, maxLength: 14 })
      .map((calls): Step => ({ kind: 'storm', calls })),
  },
);

export const history = fc.array(step, { minLength: 12, maxLength: 40 });

/** Brings the places of holds and entries into the range of what there is, or to nowhere. */
export function inRange(command: Command, { holds, entries }: State): Command {
  const within = (place: number, count: number): number =>
    place === NOWHERE || count === 0 ? NOWHERE : place % count;
  switch (command.verb) {
    case 'capture':
    case 'release':
      return { ...command, hold: within(command.hold, holds.length) };
    case 'reverse':
      return { ...command, entry: within(command.entry, entries.length) };
    case 'credit':
    case 'debit':
    case 'hold':
    case 'transfer':
      return command;
  }
}
