import { unexplained } from '../core/account.js';
import {
  NO_FACTS,
  type ChainFact,
  type Comparison,
  type EntryFact,
  type Facts,
  type FailureFact,
  type GapFact,
  type Part,
  type WindowFact,
  type WritesFact,
} from '../core/comparison.js';
import { fromUnits, isNothing } from '../core/sums.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { slices } from './chunks.js';
import * as statements from './evidence-statements.js';

/** Wallets that are asked about at a time. */
const BATCH = 5_000;

const PARTS: readonly Part[] = ['wallet', 'profile'];

/** A mutable set of facts, while they are gathered. */
type Gathered = { -readonly [Key in keyof Facts]: Facts[Key] };

/** Gathers what is on record about drifted wallets. What this role cannot read counts as not recorded. */
export class Investigator {
  readonly #mapping: ResolvedMapping;
  #sources: statements.Sources | undefined;

  constructor(mapping: ResolvedMapping) {
    this.#mapping = mapping;
  }

  /**
   * Adds its facts to each wallet, in a fixed number of statements for each few thousand of them. The
   * rows have to be of the same snapshot, or of locked wallets.
   */
  async investigate(session: Queryable, rows: readonly Comparison[]): Promise<Comparison[]> {
    const result: Comparison[] = [];
    for (const batch of slices(rows, BATCH)) {
      const facts = await this.#facts(session, batch);
      for (const row of batch) {
        const known = row.walletId === null ? undefined : facts.get(row.walletId);
        result.push(known === undefined ? row : { ...row, facts: known });
      }
    }
    return result;
  }

  async #facts(session: Queryable, rows: readonly Comparison[]): Promise<Map<string, Gathered>> {
    const wallets = rows.flatMap(({ walletId, profileId }) =>
      walletId === null ? [] : [{ walletId, profileId }],
    );
    if (wallets.length === 0) return new Map();
    const sources = await this.#readSources(session);
    const found = await readRecords(session, this.#mapping, sources, wallets);
    await this.#readEntries(session, sources, rows, found);
    await this.#readChains(session, rows, found);
    await this.#readHolds(session, sources, rows, found);
    await this.#readWindows(session, rows, found);
    return found;
  }

  async #readSources(session: Queryable): Promise<statements.Sources> {
    return (this.#sources ??= await readSources(session, this.#mapping));
  }

  /** The entries of those whose balance or earnings differ. */
  async #readEntries(
    session: Queryable,
    sources: statements.Sources,
    rows: readonly Comparison[],
    found: ReadonlyMap<string, Gathered>,
  ): Promise<void> {
    const ids = idsOf(
      rows,
      (row) => row.walletExists && differs(row, ['balance', 'lifetimeEarnings']),
    );
    if (ids.length === 0) return;
    const read = await session.query<{ walletId: string; entries: readonly EntryTuple[] | null }>(
      statements.lastEntries(this.#mapping, sources, ids),
    );
    for (const { walletId, entries } of read) {
      const facts = found.get(walletId);
      if (facts !== undefined) facts.entries = (entries ?? []).map(toEntry);
    }
  }

  async #readChains(
    session: Queryable,
    rows: readonly Comparison[],
    found: ReadonlyMap<string, Gathered>,
  ): Promise<void> {
    const ids = idsOf(rows, ({ caches }) => caches.some(({ field }) => field === 'balanceAfter'));
    const statement = statements.breaks(this.#mapping, ids);
    if (ids.length === 0 || statement === undefined) return;
    for (const row of await session.query<ChainRow>(statement)) {
      const facts = found.get(row.walletId);
      if (facts === undefined) continue;
      facts.chain = { count: row.count, offset: row.offset, first: row.first ?? [] };
    }
  }

  async #readHolds(
    session: Queryable,
    sources: statements.Sources,
    rows: readonly Comparison[],
    found: ReadonlyMap<string, Gathered>,
  ): Promise<void> {
    const ids = idsOf(rows, (row) => differs(row, ['pendingBalance']));
    if (ids.length === 0 || !sources.holds) return;
    const read = await session.query<{ walletId: string; open: string; held: string }>(
      statements.openHolds(this.#mapping.ledger.table.quoted, ids),
    );
    for (const { walletId, open, held } of read) {
      const facts = found.get(walletId);
      if (facts !== undefined) facts.holds = { open, held };
    }
  }

  /** Where triggers were absent: the entries made meanwhile, for those that lack anything. */
  async #readWindows(
    session: Queryable,
    rows: readonly Comparison[],
    found: ReadonlyMap<string, Gathered>,
  ): Promise<void> {
    const targets = rows.flatMap((row) => {
      const facts = row.walletId === null ? undefined : found.get(row.walletId);
      return facts === undefined || facts.gaps.length === 0 ? [] : targetsOf(row, facts);
    });
    const gaps = [...new Set([...found.values()].flatMap((facts) => facts.gaps))];
    if (targets.length === 0) return;
    const spans = gaps.map(({ lastSeenAt, endedAt }) => ({ from: lastSeenAt, to: endedAt }));
    const statement = statements.windows(this.#mapping, targets, spans);
    if (statement === undefined) return;
    for (const { walletId, lastTime, ...window } of await session.query<WindowRow>(statement)) {
      const facts = found.get(walletId);
      const gap = facts?.gaps.find((one) => isIn(one, lastTime));
      if (facts !== undefined && gap !== undefined) {
        facts.windows = [...facts.windows, { ...window, gap }];
      }
    }
  }
}

interface RecordRow {
  readonly walletId: string;
  readonly installedAt: string | null;
  readonly rightAt: string | null;
  readonly failures: readonly FailureFact[] | null;
  readonly writes: readonly WritesFact[] | null;
  readonly gaps: readonly GapFact[] | null;
  readonly enabled: string | null;
  readonly now: string;
}

type EntryTuple = readonly [string, string, string, string | null, string];
type ChainRow = Omit<ChainFact, 'first'> & {
  readonly walletId: string;
  readonly first: ChainFact['first'] | null;
};
type WindowRow = Omit<WindowFact, 'gap'> & { readonly walletId: string; readonly lastTime: string };

async function readSources(
  session: Queryable,
  mapping: ResolvedMapping,
): Promise<statements.Sources> {
  const [sources] = await session.query<statements.Sources>(statements.readableSources(mapping));
  return (
    sources ?? {
      failures: false,
      installations: false,
      writes: false,
      gaps: false,
      repairs: false,
      holds: false,
      ordered: false,
    }
  );
}

async function readRecords(
  session: Queryable,
  mapping: ResolvedMapping,
  sources: statements.Sources,
  wallets: readonly { readonly walletId: string; readonly profileId: string | null }[],
): Promise<Map<string, Gathered>> {
  const rows = await session.query<RecordRow>(statements.records(mapping, sources, wallets));
  const [first] = rows;
  const gaps = first === undefined ? [] : gapsOf(first);
  return new Map(
    rows.map(({ walletId, installedAt, rightAt, failures, writes }) => [
      walletId,
      {
        ...NO_FACTS,
        installedAt,
        rightAt,
        failures: failures ?? [],
        writes: writes ?? [],
        gaps: gaps.filter(({ endedAt }) => endedAt === null || endedAt > (rightAt ?? '')),
      },
    ]),
  );
}

/** The recorded gaps, and the one that nobody has noticed yet. */
function gapsOf({ installedAt, gaps, enabled, now }: RecordRow): readonly GapFact[] {
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

function idsOf(rows: readonly Comparison[], wanted: (row: Comparison) => boolean): string[] {
  return rows.flatMap((row) => (row.walletId !== null && wanted(row) ? [row.walletId] : []));
}

function differs({ caches }: Comparison, fields: readonly string[]): boolean {
  return caches.some(
    ({ field, cached, expected }) => fields.includes(field) && cached !== expected,
  );
}

function targetsOf(row: Comparison, facts: Facts): statements.Target[] {
  return PARTS.flatMap((part) => {
    const lacking = unexplained(row, facts, part);
    if (isNothing(lacking)) return [];
    const { balance, earnings } = lacking;
    return [
      {
        walletId: row.walletId ?? '',
        part,
        balance: balance === undefined ? null : fromUnits(balance),
        earnings: earnings === undefined ? null : fromUnits(earnings),
      },
    ];
  });
}

function toEntry([id, amount, earned, createdAt, transaction]: EntryTuple): EntryFact {
  return { id, amount, earned, createdAt, transaction };
}

function isIn({ lastSeenAt, endedAt }: GapFact, time: string): boolean {
  return time >= (lastSeenAt ?? '') && (endedAt === null || time <= endedAt);
}
