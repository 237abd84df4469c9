import {
  NO_FACTS,
  type Comparison,
  type FailureFact,
  type Facts,
  type GapFact,
  type WritesFact,
} from '../core/comparison.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import * as statements from './records-statements.js';

/** What Trueup has recorded about a ledger and its wallets, as far as this role can read it. */

/** A set of facts, while they are gathered. */
export type Gathered = { -readonly [Key in keyof Facts]: Facts[Key] };

/** What is on record about a ledger as a whole. */
export interface LedgerFacts {
  readonly installedAt: string | null;
  /** When all its caches were last known to be right. */
  readonly rightAt: string | null;
  readonly gaps: readonly GapFact[];
  /** Whether there is anything to look for. */
  readonly failures: boolean;
  readonly writes: boolean;
  readonly repairs: boolean;
}

/** What is known before wallets are looked at. */
export interface Known {
  readonly sources: statements.Sources;
  readonly ledger: LedgerFacts;
  /** The run that has just repaired them. */
  readonly run: string | null;
}

interface LedgerRow {
  readonly installedAt: string | null;
  readonly verifiedAt: string | null;
  readonly gaps: readonly GapFact[] | null;
  readonly enabled: string | null;
  readonly failures: boolean;
  readonly writes: boolean;
  readonly repairs: boolean;
  readonly now: string;
}

interface RecordRow {
  readonly walletId: string;
  readonly rightAt: string | null;
  readonly failures: readonly FailureFact[] | null;
  readonly writes: readonly WritesFact[] | null;
}

const NOTHING_READABLE: statements.Sources = {
  failures: false,
  installations: false,
  writes: false,
  gaps: false,
  repairs: false,
  holds: false,
  ordered: false,
};

/** Asks which records there are to read. */
export async function readSources(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<statements.Sources> {
  const [sources] = await session.query<statements.Sources>(statements.readableSources(mapping));
  return sources ?? NOTHING_READABLE;
}

/** Reads what concerns every wallet. */
export async function readLedger(
  session: Queryable,
  mapping: ResolvedMapping,
  sources: statements.Sources,
  run: string | null,
): Promise<LedgerFacts> {
  const [row] = await session.query<LedgerRow>(statements.ledgerRecords(mapping, sources, run));
  if (row === undefined) {
    return {
      installedAt: null,
      rightAt: null,
      gaps: [],
      failures: false,
      writes: false,
      repairs: false,
    };
  }
  const { installedAt, verifiedAt, failures, writes, repairs } = row;
  return { installedAt, rightAt: verifiedAt, gaps: gapsOf(row), failures, writes, repairs };
}

/**
 * Reads what concerns some wallets. Once a ledger is verified and nothing has happened since, there is
 * nothing, and a mass of drifted wallets costs no look-ups.
 */
export async function readRecords(
  session: Queryable,
  mapping: ResolvedMapping,
  known: Known,
  rows: readonly Comparison[],
): Promise<Map<string, Gathered>> {
  const wallets = rows.flatMap(({ walletId, profileId }) =>
    walletId === null ? [] : [{ walletId, profileId }],
  );
  const { installedAt, rightAt: verifiedAt, gaps, failures, writes, repairs } = known.ledger;
  const of = (rightAt: string | null): Gathered => ({
    ...NO_FACTS,
    installedAt,
    rightAt,
    gaps: gaps.filter(({ endedAt }) => endedAt === null || endedAt > (rightAt ?? '')),
  });
  const result = new Map(wallets.map(({ walletId }) => [walletId, of(verifiedAt)]));
  const mayMatter = verifiedAt === null || gaps.length > 0;
  if (!failures && !writes && !(repairs && mayMatter)) return result;
  const found = await session.query<RecordRow>(
    statements.records(mapping, { failures, writes, repairs }, wallets, {
      verifiedAt,
      run: known.run,
    }),
  );
  for (const row of found) {
    const facts = of(row.rightAt);
    facts.failures = row.failures ?? [];
    facts.writes = row.writes ?? [];
    result.set(row.walletId, facts);
  }
  return result;
}

/** The recorded gaps, and the one that nobody has noticed yet. */
function gapsOf({ installedAt, gaps, enabled, now }: LedgerRow): readonly GapFact[] {
  const recorded = gaps ?? [];
  const isThere = enabled === 'O' || enabled === 'A';
  if (installedAt === null || isThere || recorded.some(({ endedAt }) => endedAt === null)) {
    return recorded;
  }
  const ends = recorded.map(({ endedAt }) => endedAt ?? '');
  const lastSeenAt = [installedAt, ...ends].sort().at(-1) ?? installedAt;
  const what = enabled === null ? 'missing' : 'disabled';
  return [{ what, lastSeenAt, noticedAt: now, endedAt: null }, ...recorded];
}
