import type {
  BreakFact,
  CacheComparison,
  EntryFact,
  Facts,
  FailureFact,
  GapFact,
  WindowFact,
  WriteFact,
} from './comparison.js';
import { fromUnits } from './sums.js';

/**
 * Why a cache differs, in order of precedence: of several causes that are known to have part in it the
 * first one is named, and the evidence tells the others. docs/causes.md explains each.
 */
export const CAUSES = [
  'wallet_missing',
  'no_history',
  'profile_missing',
  'ledger_changed',
  'sync_failed',
  'triggers_absent',
  'entry_applied_twice',
  'direct_write',
  'entry_missed',
  'hold_leaked',
  'before_adoption',
  'unknown',
] as const;

/** One of {@link CAUSES}. */
export type Cause = (typeof CAUSES)[number];

/** What a cause is known by; what does not apply is left out. Ids, amounts and times are text. */
export interface Evidence {
  /** Other causes that have part in it. */
  readonly also?: readonly Cause[];
  /** What of the delta nothing on record explains. */
  readonly unexplained?: string;
  /** Failures of the sync that wait, with the recorded error: the newest few. */
  readonly failures?: readonly FailureFact[];
  /** What others wrote into this cache: in all, and the last few, the newest first. */
  readonly writes?: {
    readonly change: string | null;
    readonly count: string;
    readonly last: readonly WriteFact[];
  };
  /** The entries that were missed or applied twice, the newest first; the newest few of many. */
  readonly entries?: readonly Pick<EntryFact, 'id' | 'amount' | 'createdAt'>[];
  /** When the triggers were not there, and the entries made meanwhile where they are many. */
  readonly gap?: GapFact & { readonly entries?: WindowEvidence };
  /** Where the running balance departs first. */
  readonly break?: BreakFact;
  /** What is on hold in truth. */
  readonly holds?: { readonly open: string; readonly held: string };
  /** When the sync was installed, before which nothing is known. */
  readonly installedAt?: string;
  /** What the wallet held, without any entry, when the sync was installed. */
  readonly opening?: string;
}

/** Entries of a gap, by their ends and their sums. */
export type WindowEvidence = Omit<WindowFact, 'part' | 'gap'>;

/** What a finding's evidence is made of. */
export interface Known {
  readonly also?: readonly Cause[];
  readonly failures?: boolean;
  readonly writes?: boolean;
  readonly broken?: boolean;
  readonly adoption?: boolean;
  readonly holds?: boolean;
  readonly opening?: boolean;
  readonly entries?: readonly EntryFact[];
  readonly gap?: GapFact | undefined;
  readonly window?: WindowFact | undefined;
  /** In millionths. */
  readonly unexplained?: bigint | undefined;
}

/** The most of a kind that one finding tells. */
const FEW = 10;

/** Puts together what is known about one finding. */
export function evidenceOf(facts: Facts, cache: CacheComparison, known: Known): Evidence {
  const writes = facts.writes.find(
    ({ part, field }) => part === cache.part && field === cache.field,
  );
  const [firstBreak] = facts.chain?.first ?? [];
  const { also = [], entries = [], unexplained } = known;
  return {
    ...(also.length === 0 ? {} : { also }),
    ...(unexplained === undefined || unexplained === 0n
      ? {}
      : { unexplained: fromUnits(unexplained) }),
    ...(known.failures === true ? { failures: facts.failures.slice(0, FEW) } : {}),
    ...(known.writes === true && writes !== undefined
      ? { writes: { change: writes.change, count: writes.count, last: writes.last } }
      : {}),
    ...(entries.length === 0 ? {} : { entries: entries.slice(0, FEW).map(nameEntry) }),
    ...gapEvidence(known),
    ...(known.broken === true && firstBreak !== undefined ? { break: firstBreak } : {}),
    ...(known.holds === true && facts.holds !== null ? { holds: facts.holds } : {}),
    ...(known.opening === true && facts.opening !== null ? { opening: facts.opening } : {}),
    ...(known.adoption === true && facts.installedAt !== null
      ? { installedAt: facts.installedAt }
      : {}),
  };
}

function nameEntry({
  id,
  amount,
  createdAt,
}: EntryFact): Pick<EntryFact, 'id' | 'amount' | 'createdAt'> {
  return { id, amount, createdAt };
}

function gapEvidence({ gap, window }: Known): Pick<Evidence, 'gap'> {
  if (gap === undefined) return {};
  if (window === undefined) return { gap };
  const { entries, firstEntryId, lastEntryId, amount, earned } = window;
  return { gap: { ...gap, entries: { entries, firstEntryId, lastEntryId, amount, earned } } };
}
