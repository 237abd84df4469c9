import type {
  BreakFact,
  CacheComparison,
  Comparison,
  EntryFact,
  Facts,
  GapFact,
  Part,
  WindowFact,
} from './comparison.js';
import { writtenWithEntries } from './by-hand.js';
import { historyOf, recentOf } from './candidates.js';
import {
  isExactly,
  isNothing,
  less,
  negated,
  sumOf,
  toUnits,
  withoutNothing,
  type History,
  type Lack,
  type Sum,
} from './sums.js';

/** What one part of a wallet lacks, and what on record accounts for it. */
export interface Account {
  /** What moved the caches, beside the writes by hand. */
  readonly contributions: readonly Contribution[];
  /** Contributions and writes add up to exactly what is lacking. */
  readonly explained: boolean;
  /** What nothing accounts for. */
  readonly rest: Lack;
  /** The writes by hand are entries once more, each in the transaction of its entry. */
  readonly twiceByHand: { readonly balance: boolean; readonly earnings: boolean };
  /** Those entries. */
  readonly byHand: readonly EntryFact[];
}

/** One thing that made caches differ. */
export interface Contribution {
  readonly cause:
    'ledger_changed' | 'sync_failed' | 'triggers_absent' | 'entry_applied_twice' | 'entry_missed';
  readonly entries?: readonly EntryFact[];
  readonly gap?: GapFact | undefined;
  readonly window?: WindowFact;
  /** What it takes from the caches. */
  readonly sum: Sum;
  moves(field: 'balance' | 'earnings'): boolean;
}

/** Breaks of one chain that are reckoned with: each can be an edit or a deletion. */
const MOST_BREAKS = 4;

/** What both parts of a wallet lack, and what may account for it. */
export class Inquiry {
  readonly #row: Comparison;
  readonly #facts: Facts;
  readonly #lacks: Readonly<Record<Part, Lack>>;
  #history: History | undefined;

  constructor(row: Comparison, facts: Facts) {
    this.#row = row;
    this.#facts = facts;
    this.#lacks = lacksOf(row, facts);
  }

  /** What a part lacks once writes by others and waiting failures are accounted for. */
  lack(part: Part): Lack {
    return this.#lacks[part];
  }

  /**
   * Whether entries can be the matter. Whatever keeps the database from following an entry keeps it
   * from wallet and profile alike; so the parts lack the same, or one of them lacks nothing.
   */
  get concernsEntries(): boolean {
    const { wallet, profile } = this.#lacks;
    return isNothing(wallet) || isNothing(profile) || agree(wallet, profile);
  }

  /** Whether they can be at least for some of the caches: each lacks the same in both parts, or in one. */
  get mayConcernEntries(): boolean {
    const { wallet, profile } = this.#lacks;
    return areAlike(wallet.balance, profile.balance) && areAlike(wallet.earnings, profile.earnings);
  }

  /**
   * Looks for the fewest things on record that together are exactly what a part lacks. Writes by hand
   * and waiting failures did happen, so they are always counted in.
   */
  account(part: Part): Account {
    const rest = this.#lacks[part];
    const failure = failureOf(this.#facts, part);
    const fixed = failure === undefined ? [] : [failure];
    const byHand = writtenWithEntries(this.#facts, part);
    const common = { rest, twiceByHand: byHand.whole, byHand: byHand.entries };
    const known = rest.balance !== undefined || rest.earnings !== undefined;
    const found = known ? this.#search(part, rest) : undefined;
    return found === undefined
      ? { ...common, contributions: fixed, explained: false }
      : { ...common, contributions: [...fixed, ...found], explained: true };
  }

  /** The first and smallest explanation that fits exactly; undefined where none does. */
  #search(part: Part, lacking: Lack): readonly Contribution[] | undefined {
    if (isNothing(lacking)) return [];
    const edits = editsOf(this.#facts);
    const edit = edits.find(({ sum }) => isExactly(lacking, sum));
    if (edit !== undefined) return [edit];
    if (!this.concernsEntries) return this.#onceMore(lacking);
    const one = this.#fromEntries(part, lacking);
    if (one !== undefined) return [one];
    for (const first of edits) {
      const second = this.#fromEntries(part, less(lacking, first.sum));
      if (second !== undefined) return [first, second];
    }
    return this.#onceMore(lacking);
  }

  /**
   * Entries that somebody else adds to some of the caches, such as a trigger of the application that
   * knows of balances and not of earnings. What the sync does moves both, so this is only asked where
   * that explains nothing, and only of entries made since the caches were last right.
   */
  #onceMore(lacking: Lack): readonly Contribution[] | undefined {
    if (!this.mayConcernEntries) return undefined;
    const recent = recentOf(this.#row, this.#facts);
    const wanted = negated(lacking);
    for (const some of [wanted, withoutNothing(wanted)]) {
      const twice = recent.addingUpTo(some);
      const sum = sumOf(twice);
      if (twice.length > 0 && sum !== undefined) {
        const moved = opposite({
          balance: some.balance === undefined ? 0n : sum.balance,
          earnings: some.earnings === undefined ? 0n : sum.earnings,
        });
        return [contribution('entry_applied_twice', moved, { entries: twice })];
      }
    }
    return undefined;
  }

  /** Entries that never reached the caches, or reached them twice. */
  #fromEntries(part: Part, lacking: Lack): Contribution | undefined {
    const window = this.#facts.windows.find(
      (one) => one.part === part && isExactly(lacking, windowSum(one)),
    );
    if (window !== undefined) {
      return contribution('triggers_absent', windowSum(window), { window, gap: window.gap });
    }
    this.#history ??= historyOf(this.#row, this.#facts);
    const missed = this.#history.addingUpTo(lacking);
    const twice = this.#history.addingUpTo(negated(lacking));
    if (missed.length > 0 && (twice.length === 0 || missed.length <= twice.length)) {
      return missedEntries(this.#facts, part, missed);
    }
    const sum = sumOf(twice);
    if (twice.length === 0 || sum === undefined) return undefined;
    return contribution('entry_applied_twice', opposite(sum), { entries: twice });
  }
}

function areAlike(left: bigint | undefined, right: bigint | undefined): boolean {
  return !left || !right || left === right;
}

/** Whether two parts lack the same, as far as both are known. */
function agree(left: Lack, right: Lack): boolean {
  const same = (one: bigint | undefined, other: bigint | undefined): boolean =>
    one === undefined || other === undefined || one === other;
  return same(left.balance, right.balance) && same(left.earnings, right.earnings);
}

/** What others wrote into a cache: 0 where nobody did, undefined where it cannot be added up. */
export function changed(
  facts: Facts,
  cache: Pick<CacheComparison, 'part' | 'field'>,
): bigint | undefined {
  const one = facts.writes.find(({ part, field }) => part === cache.part && field === cache.field);
  if (one === undefined) return 0n;
  return one.change === null ? undefined : toUnits(one.change);
}

const KEYS = { balance: 'balance', lifetimeEarnings: 'earnings' } as const;

/** In one pass and without anything in between: it is done for every drifted wallet. */
function lacksOf(row: Comparison, facts: Facts): Record<Part, Lack> {
  const lacks = { wallet: {}, profile: {} } as Record<
    Part,
    { -readonly [Key in keyof Lack]: bigint }
  >;
  for (const { part, field } of row.right ?? []) {
    if (field === 'balance' || field === 'lifetimeEarnings') lacks[part][KEYS[field]] = 0n;
  }
  for (const { part, field, cached, expected } of row.caches) {
    if (field !== 'balance' && field !== 'lifetimeEarnings') continue;
    const [right, wrong] = [toUnits(expected), cached === null ? undefined : toUnits(cached)];
    if (right !== undefined && wrong !== undefined) lacks[part][KEYS[field]] = right - wrong;
  }
  for (const { part, field } of facts.writes) {
    if (field !== 'balance' && field !== 'lifetimeEarnings') continue;
    const { [KEYS[field]]: lack, ...rest } = lacks[part];
    const change = changed(facts, { part, field });
    const known = lack !== undefined && change !== undefined;
    lacks[part] = known ? { ...rest, [KEYS[field]]: lack + change } : rest;
  }
  const failure = failureOf(facts, 'profile');
  return failure === undefined ? lacks : { ...lacks, profile: less(lacks.profile, failure.sum) };
}

function missedEntries(
  facts: Facts,
  part: Part,
  entries: readonly EntryFact[],
): Contribution | undefined {
  const sum = sumOf(entries);
  if (sum === undefined) return undefined;
  // Whose transaction is not to be found again (it had savepoints) is known by the amount.
  if (part === 'profile' && facts.failures.length > 0 && failureOf(facts, part) === undefined) {
    return contribution('sync_failed', sum, { entries });
  }
  const gap = facts.gaps.find((one) => entries.every((entry) => isIn(one, entry)));
  return contribution(gap === undefined ? 'entry_missed' : 'triggers_absent', sum, {
    entries,
    gap,
  });
}

function isIn({ lastSeenAt, endedAt }: GapFact, { createdAt }: EntryFact): boolean {
  if (createdAt === null) return true;
  return createdAt >= (lastSeenAt ?? '') && (endedAt === null || createdAt <= endedAt);
}

/** The entries of the transactions whose failure waits; undefined where they are not all known. */
function failureOf(facts: Facts, part: Part): Contribution | undefined {
  if (part !== 'profile' || facts.failures.length === 0) return undefined;
  const failed = new Set(facts.failures.map(({ transaction }) => transaction));
  const entries = facts.entries.filter(({ transaction }) => failed.has(transaction));
  if (new Set(entries.map(({ transaction }) => transaction)).size < failed.size) return undefined;
  const sum = sumOf(entries);
  return sum === undefined ? undefined : contribution('sync_failed', sum, { entries });
}

/**
 * What edited or deleted entries took from the ledger while the caches kept it: their chain still shows
 * it. A break is an edit or a deletion, which says what became of the earnings; or it changed nothing,
 * such as the next entry of an application that adds its balances up anew. All of that is tried.
 */
function editsOf({ chain }: Facts): Contribution[] {
  if (chain === null || chain.first.length > MOST_BREAKS) return [];
  let sums: Sum[] = [{ balance: 0n, earnings: 0n }];
  for (const one of chain.first) {
    const ways = waysOf(one);
    sums = sums.flatMap((sum) => [sum, ...ways.map((way) => plus(sum, way))]);
  }
  return sums
    .filter(({ balance, earnings }) => balance !== 0n || earnings !== 0n)
    .map((sum) => contribution('ledger_changed', opposite(sum)));
}

/** What the ledger lost at a break, and the earnings with it. */
function waysOf({ size, amount }: BreakFact): Sum[] {
  const [balance, left] = [toUnits(size) ?? 0n, toUnits(amount) ?? 0n];
  return [
    { balance, earnings: positive(left + balance) - positive(left) },
    { balance, earnings: positive(balance) },
  ];
}

function positive(value: bigint): bigint {
  return value > 0n ? value : 0n;
}

function plus(left: Sum, right: Sum): Sum {
  return { balance: left.balance + right.balance, earnings: left.earnings + right.earnings };
}

function opposite({ balance, earnings }: Sum): Sum {
  return { balance: -balance, earnings: -earnings };
}

function windowSum({ amount, earned }: WindowFact): Sum {
  return { balance: toUnits(amount) ?? 0n, earnings: toUnits(earned) ?? 0n };
}

function contribution(
  cause: Contribution['cause'],
  sum: Sum,
  details: Partial<Pick<Contribution, 'entries' | 'gap' | 'window'>> = {},
): Contribution {
  return { cause, sum, ...details, moves: (field) => sum[field] !== 0n };
}
