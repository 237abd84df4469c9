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
type Gathered = { -readonly [Key in keyof Facts]: Facts[Key] };

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

/** What is on record about some wallets: mostly the same about all of them, and kept once. */
export class FactSheet {
  readonly #ledger: LedgerFacts;
  readonly #common: Facts;
  readonly #own = new Map<string, Gathered>();

  constructor(ledger: LedgerFacts) {
    this.#ledger = ledger;
    this.#common = this.#since(ledger.rightAt);
  }

  /** The facts about one wallet. */
  of(walletId: string): Facts {
    return this.#own.get(walletId) ?? this.#common;
  }

  /** The facts about one wallet, to be added to. */
  edit(walletId: string): Gathered {
    const own = this.#own.get(walletId) ?? { ...this.#common };
    this.#own.set(walletId, own);
    return own;
  }

  /** Takes over what was recorded of one wallet. */
  record({ walletId, rightAt, failures, writes }: RecordRow): void {
    const facts = { ...this.#since(rightAt), failures: failures ?? [], writes: writes ?? [] };
    this.#own.set(walletId, facts);
  }

  /** Every different set of facts. */
  all(): Facts[] {
    return [this.#common, ...this.#own.values()];
  }

  #since(rightAt: string | null): Facts {
    const { installedAt, gaps } = this.#ledger;
    const later = gaps.filter(({ endedAt }) => endedAt === null || endedAt > (rightAt ?? ''));
    return { ...NO_FACTS, installedAt, rightAt, gaps: later };
  }
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
): Promise<FactSheet> {
  const { rightAt: verifiedAt, gaps, failures, writes, repairs } = known.ledger;
  const sheet = new FactSheet(known.ledger);
  const mayMatter = verifiedAt === null || gaps.length > 0;
  if (!failures && !writes && !(repairs && mayMatter)) return sheet;
  const wallets = rows.flatMap(({ walletId, profileId }) =>
    walletId === null ? [] : [{ walletId, profileId }],
  );
  const found = await session.query<RecordRow>(
    statements.records(mapping, { failures, writes, repairs }, wallets, {
      verifiedAt,
      run: known.run,
    }),
  );
  for (const row of found) sheet.record(row);
  return sheet;
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
