import { difference } from './amount.js';
import {
  isWithoutHistory,
  NO_FACTS,
  type CacheComparison,
  type Comparison,
  type Facts,
  type Part,
} from './comparison.js';
import { CAUSES, evidenceOf, type Cause, type Evidence } from './evidence.js';
import { changed, Inquiry, type Account } from './account.js';
import { fromUnits } from './sums.js';

/** The cause of one finding, and what it is known by. */
export interface Explanation {
  readonly cause: Cause;
  readonly evidence: Evidence;
}

/**
 * Decides why caches of one wallet differ from the ledger. What one part lacks is accounted for as a
 * whole, balance and earnings together: an entry that was missed is missing from both.
 *
 * @returns what explains any one of its differing caches
 */
export function causesOf(row: Comparison): (cache: CacheComparison) => Explanation {
  const facts = row.facts ?? NO_FACTS;
  const accounts = new Map<Part, Account>();
  let inquiry: Inquiry | undefined;
  let blank: Explanation | undefined;
  return (cache) => {
    const structural = structuralCause(row, cache);
    if (structural !== undefined) return inStructure(structural, cache, facts);
    if (cache.field === 'balanceAfter') {
      return { cause: 'ledger_changed', evidence: evidenceOf(facts, cache, { broken: true }) };
    }
    if (cache.field === 'pendingBalance') return pendingCause(cache, facts);
    if (isBlank(facts)) return (blank ??= blankCause(facts));
    inquiry ??= new Inquiry(row, facts);
    const account = accounts.get(cache.part) ?? inquiry.account(cache.part);
    accounts.set(cache.part, account);
    return cacheCause(cache, facts, account);
  };
}

/** The first of some causes by precedence. */
export function firstCause(causes: ReadonlySet<Cause>): Cause {
  if (causes.size === 1) for (const only of causes) return only;
  return CAUSES.find((cause) => causes.has(cause)) ?? 'unknown';
}

function structuralCause(row: Comparison, { part }: CacheComparison): Cause | undefined {
  if (row.walletId === null || isWithoutHistory(row)) return 'no_history';
  if (!row.walletExists) return 'wallet_missing';
  return part === 'profile' && !row.profileExists ? 'profile_missing' : undefined;
}

function inStructure(cause: Cause, cache: CacheComparison, facts: Facts): Explanation {
  const failed = cause === 'profile_missing' && facts.failures.length > 0;
  const written = changed(facts, cache) !== 0n;
  return named([cause, ...(failed ? (['sync_failed'] as const) : []), ...writes(written)], (also) =>
    evidenceOf(facts, cache, {
      also,
      failures: failed,
      writes: written,
      opening: cause === 'no_history',
    }),
  );
}

function pendingCause(cache: CacheComparison, facts: Facts): Explanation {
  const change = changed(facts, cache);
  const written = change !== 0n;
  const lack = difference(cache.expected, cache.cached ?? '');
  const wholly = change !== undefined && written && lack === fromUnits(-change);
  return named([...(wholly ? [] : (['hold_leaked'] as const)), ...writes(written)], (also) =>
    evidenceOf(facts, cache, { also, writes: written, holds: true }),
  );
}

/** Where nothing but the installation is on record, as for most of a mass of drifted wallets. */
function isBlank({ failures, writes, entries, windows, chain }: Facts): boolean {
  return failures.length + writes.length + entries.length + windows.length === 0 && chain === null;
}

function blankCause(facts: Facts): Explanation {
  const cause = fallbackCause(facts);
  const { installedAt } = facts;
  return {
    cause,
    evidence: cause === 'before_adoption' && installedAt !== null ? { installedAt } : {},
  };
}

function cacheCause(cache: CacheComparison, facts: Facts, account: Account): Explanation {
  const key = cache.field === 'balance' ? 'balance' : 'earnings';
  const written = changed(facts, cache) !== 0n;
  const wrote = written && account.twiceByHand[key] ? 'entry_applied_twice' : 'direct_write';
  const involved = account.contributions.filter((one) => one.moves(key));
  const explained = account.explained || isLastWritten(cache, facts);
  const causes: Cause[] = [
    ...(written ? ([wrote] as const) : []),
    ...involved.map(({ cause }) => cause),
  ];
  if (!explained || causes.length === 0) causes.push(...fallback(cache, facts));
  const known = causes.length > 1 ? causes.filter((cause) => cause !== 'unknown') : causes;
  // Where nothing at all is known, that is the whole delta, which the finding tells anyhow.
  const partly = !explained && causes[0] !== fallbackCause(facts);
  return named(known, (also) =>
    evidenceOf(facts, cache, {
      also,
      writes: written,
      failures: known.includes('sync_failed'),
      broken: known.includes('ledger_changed'),
      adoption: known.includes('before_adoption'),
      entries: [
        ...involved.flatMap((one) => one.entries ?? []),
        ...(written && account.twiceByHand[key] ? account.byHand : []),
      ],
      gap: involved.find(({ gap }) => gap !== undefined)?.gap,
      window: involved.find(({ window }) => window !== undefined)?.window,
      unexplained: partly ? account.rest[key] : undefined,
    }),
  );
}

/** A write of something that is no number cannot be added up, but it may be just what is there. */
function isLastWritten(cache: CacheComparison, facts: Facts): boolean {
  const one = facts.writes.find(({ part, field }) => part === cache.part && field === cache.field);
  const [last] = one?.last ?? [];
  return one?.change === null && last?.newValue === cache.cached;
}

/** What is left to say where the records do not explain it all. */
function fallback({ part }: CacheComparison, facts: Facts): Cause[] {
  if (part === 'profile' && facts.failures.length > 0) return ['sync_failed'];
  return [fallbackCause(facts)];
}

/** The cause of what nothing on record explains. */
export function fallbackCause({
  installedAt,
  rightAt,
}: Pick<Facts, 'installedAt' | 'rightAt'>): Cause {
  return installedAt !== null && rightAt === null ? 'before_adoption' : 'unknown';
}

function writes(written: boolean): Cause[] {
  return written ? ['direct_write'] : [];
}

function named(
  causes: readonly Cause[],
  evidence: (also: readonly Cause[]) => Evidence,
): Explanation {
  const cause = firstCause(new Set(causes));
  const also = CAUSES.filter((other) => other !== cause && causes.includes(other));
  return { cause, evidence: evidence(also) };
}
