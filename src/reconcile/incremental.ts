import { slices } from './chunks.js';
import type { Checkpoint } from './checkpoint.js';
import type { Pace } from './pace.js';
import { patiently } from './patience.js';
import {
  behind,
  firstWallets,
  readRanges,
  sliceSize,
  type SlicePiece,
  type VerifiedRange,
} from './ranges.js';
import { everyProfile, listedWallets, type Source, type SourceOptions } from './sources.js';
import { findTouched } from './touched.js';
import type { Walk } from './walk.js';
import { verifiedPoint, type Base, type WholeReason } from './watermark.js';

/**
 * A check since the verified point: every wallet that was touched since, and a slice of the whole ledger,
 * which rolls on from run to run.
 */

/** What an incremental check looks at. */
export interface IncrementalPlan {
  readonly walletIds: readonly string[];
  /** Profiles that were touched and have no wallet. */
  readonly profileIds: readonly string[];
  readonly ranges: readonly VerifiedRange[];
  /** Wallets of the rolling slice. */
  readonly sliceSize: number;
}

/** Why there is no plan: the run looks at every wallet, or has to end. */
export interface NoPlan {
  readonly whole?: WholeReason;
  readonly end?: 'interrupted' | 'stopped' | 'run_time';
}

/** Ids that are kept in memory at most: some 60 MB. Where more is touched, the whole is quicker. */
const MOST = 500_000;

/** The part of all wallets from which on looking at ranges is quicker than looking at every one by itself. */
const MOST_OF_ALL = 0.25;

/** A small ledger is looked at by ids however much of it was touched. */
const FEW = 10_000;

/** Wallets of the rolling slice, however short a time ago the last one was. */
const LEAST_SLICE = 1_000;

export interface PlanOptions {
  readonly walk: Walk;
  readonly base: Base;
  /** Seconds in which every wallet is to be verified once. */
  readonly cycle: number;
  readonly jobs: number;
  readonly pace: Pace;
  readonly signal: AbortSignal | undefined;
  readonly onLost: () => void;
  /** A run that goes on with a list keeps to it, however long the list is by now. */
  readonly resumed: boolean;
}

/** Finds out what has to be looked at. Reads only. */
export async function planIncremental(options: PlanOptions): Promise<IncrementalPlan | NoPlan> {
  const { walk, base, pace, signal, jobs, resumed } = options;
  const { database, mapping } = walk;
  const since = await verifiedPoint(database, mapping, base);
  if (since.whole !== undefined) return since;
  const ranges = await readRanges(database, mapping.ledger.table.quoted);
  if (ranges.length === 0) return { whole: 'never_verified' };
  const wallets = ranges.reduce((sum, range) => sum + range.wallets, 0);
  let end: NoPlan['end'] = 'interrupted';
  const touched = await findTouched(database, mapping, {
    since: since.watermark,
    most: resumed
      ? Number.MAX_SAFE_INTEGER
      : Math.min(MOST, Math.max(FEW, Math.round(wallets * MOST_OF_ALL))),
    jobs,
    patiently: (work) => patiently(work, { signal, onLost: options.onLost }),
    goOn: async () => {
      const turn = await pace.beforeNext(signal);
      if (turn !== 'go') end = turn;
      return turn === 'go' && signal?.aborted !== true;
    },
  });
  switch (touched.state) {
    case 'too_many':
      return { whole: 'too_many_touched' };
    case 'stopped':
      return { end };
    case 'found': {
      const { walletIds, profileIds } = touched;
      const size = sliceSize(ranges, options.cycle, Math.min(pace.size(), LEAST_SLICE));
      return { walletIds, profileIds, ranges, sliceSize: size };
    }
  }
}

/** The wallets that were touched, and then those of the rolling slice that were not. */
export async function* touchedWallets(
  walk: Walk,
  options: SourceOptions,
  plan: IncrementalPlan,
  from: { readonly point: Checkpoint; readonly limit: number },
): Source {
  const { point, limit } = from;
  let remaining = limit;
  if (!point.listed) {
    const list = listedWallets(plan.walletIds, options, { above: point.above, limit });
    for (;;) {
      const next = await list.next();
      if (next.done === true) {
        if (next.value === 'complete') break;
        return next.value;
      }
      const { walked, ...mark } = next.value.mark;
      remaining -= next.value.wallets;
      yield { ...next.value, mark: { ...mark, listed: walked === true } };
    }
  }
  const size = Math.min(plan.sliceSize, remaining);
  const end = yield* rollingSlice(walk, options, { ...plan, sliceSize: size }, point.slice);
  return end === 'complete' && size < plan.sliceSize ? 'limit' : end;
}

/** So many wallets, the longest unverified first, but for those that were looked at as touched. */
async function* rollingSlice(
  walk: Walk,
  options: SourceOptions,
  plan: IncrementalPlan,
  done: readonly SlicePiece[],
): Source {
  const except = new Set(plan.walletIds);
  const pieces = [...done];
  let left = plan.sliceSize - done.reduce((sum, { wallets }) => sum + wallets, 0);
  for (const range of behind(plan.ranges, done)) {
    let { above } = range;
    const at = pieces.length;
    for (let wallets = 0; ;) {
      if (left <= 0) return 'complete';
      const turn = await options.pace.beforeNext(options.signal);
      if (turn !== 'go') return turn;
      const size = Math.min(options.pace.size(), left);
      const ids = await patiently(
        () => firstWallets(walk.database, walk.mapping, { above, upTo: range.upTo }, size),
        options,
      );
      const end = ids.length < size ? range.upTo : ids.at(-1);
      wallets += ids.length;
      left -= ids.length;
      pieces[at] = pieceOf(range, end, wallets);
      const fresh = ids.filter((id) => !except.has(id)).length;
      const mark = { slice: [...pieces] };
      yield { kind: 'range', above, upTo: end, except, wallets: fresh, mark };
      if (end === range.upTo) break;
      above = end;
    }
  }
  return 'complete';
}

function pieceOf(range: VerifiedRange, end: string | undefined, wallets: number): SlicePiece {
  return { above: range.above ?? null, upTo: range.upTo ?? null, end: end ?? null, wallets };
}

/**
 * The profiles that were touched and have no wallet. Whose wallet is gone was not touched: all profiles are
 * looked at whenever the rolling slice has come to the end of the ledger, so once in each cycle.
 */
export async function* touchedProfiles(
  walk: Walk,
  options: SourceOptions,
  plan: IncrementalPlan,
  point: Checkpoint,
): Source {
  for (const profileIds of slices(plan.profileIds, options.pace.size())) {
    const turn = await options.pace.beforeNext(options.signal);
    if (turn !== 'go') return turn;
    yield { kind: 'profileIds', profileIds, wallets: 0, mark: {} };
  }
  if (!point.slice.some(({ end }) => end === null)) return 'complete';
  const except = new Set(plan.profileIds);
  const all = everyProfile(walk, options, point.profilesAbove);
  for (;;) {
    const next = await all.next();
    if (next.done === true) return next.value;
    yield { ...next.value, except };
  }
}
