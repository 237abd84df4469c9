import { Inquiry } from '../core/account.js';
import {
  type ChainFact,
  type Comparison,
  type EntryFact,
  type Facts,
  type GapFact,
  type Part,
  type WindowFact,
} from '../core/comparison.js';
import { couldAddUpTo } from '../core/prefilter.js';
import { fromUnits, isNothing } from '../core/sums.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { slices } from './chunks.js';
import * as statements from './evidence-statements.js';
import { openingsOf } from './known-openings-statements.js';
import type { Sources } from './records-statements.js';
import {
  readLedger,
  readRecords,
  readSources,
  type FactSheet,
  type LedgerFacts,
  type Known,
} from './records.js';

/** Wallets that are asked about at a time. */
const BATCH = 5_000;

const PARTS: readonly Part[] = ['wallet', 'profile'];

/** Gathers what is on record about drifted wallets. What this role cannot read counts as not recorded. */
export class Investigator {
  readonly #mapping: ResolvedMapping;
  #sources: Sources | undefined;

  constructor(mapping: ResolvedMapping) {
    this.#mapping = mapping;
  }

  /**
   * What is on record about the ledger as a whole.
   *
   * @param run the run that is going to repair, whose own repairs tell nothing
   */
  async ledger(session: Queryable, run: string | null = null): Promise<LedgerFacts> {
    return readLedger(session, this.#mapping, await this.#readSources(session), run);
  }

  /**
   * Adds its facts to each wallet, in a fixed number of statements for each few thousand of them. The
   * rows have to be of the same snapshot, or of locked wallets.
   *
   * @param repaired the run that has just repaired them, and what was on record before
   */
  async investigate(
    session: Queryable,
    rows: readonly Comparison[],
    repaired?: { readonly ledger: LedgerFacts; readonly run: string },
  ): Promise<Comparison[]> {
    if (rows.every(({ walletId }) => walletId === null)) return [...rows];
    const ledger = repaired?.ledger ?? (await this.ledger(session));
    const known = { sources: await this.#readSources(session), ledger, run: repaired?.run ?? null };
    const result: Comparison[] = [];
    for (const batch of slices(rows, BATCH)) {
      const facts = await this.#facts(session, batch, known);
      for (const row of batch) {
        result.push(row.walletId === null ? row : { ...row, facts: facts.of(row.walletId) });
      }
    }
    return result;
  }

  async #facts(session: Queryable, rows: readonly Comparison[], known: Known): Promise<FactSheet> {
    const { sources } = known;
    const found = await readRecords(session, this.#mapping, known, rows);
    await this.#readOpenings(session, rows, found);
    await this.#readEntries(session, sources, rows, found);
    await this.#readChains(session, rows, found);
    await this.#readHolds(session, sources, rows, found);
    await this.#readWindows(session, rows, found);
    return found;
  }

  async #readSources(session: Queryable): Promise<Sources> {
    return (this.#sources ??= await readSources(session, this.#mapping));
  }

  /** The entries of those whose balance or earnings differ, where they can be what is lacking. */
  async #readEntries(
    session: Queryable,
    sources: Sources,
    rows: readonly Comparison[],
    found: FactSheet,
  ): Promise<void> {
    const drifted = rows.filter(
      (row) => row.walletExists && differs(row, ['balance', 'lifetimeEarnings']),
    );
    if (drifted.length === 0) return;
    const ids = await this.#whoseEntriesFit(session, sources, drifted, found);
    if (ids.length === 0) return;
    const read = await session.query<{ walletId: string; entries: readonly EntryTuple[] | null }>(
      statements.lastEntries(this.#mapping, sources, ids),
    );
    for (const { walletId, entries } of read) {
      found.edit(walletId).entries = (entries ?? []).map(toEntry);
    }
  }

  /** Wallets whose entries have to be read one by one. */
  async #whoseEntriesFit(
    session: Queryable,
    sources: Sources,
    drifted: readonly Comparison[],
    found: FactSheet,
  ): Promise<string[]> {
    const recorded: string[] = [];
    const inquiries = new Map<string, Inquiry>();
    for (const row of drifted) {
      if (row.walletId === null) continue;
      const facts = found.of(row.walletId);
      const inquiry = new Inquiry(row, facts);
      if (hasRecords(row, facts)) recorded.push(row.walletId);
      else if (inquiry.mayConcernEntries) inquiries.set(row.walletId, inquiry);
    }
    if (inquiries.size === 0) return recorded;
    const amounts = await session.query<AmountsRow>(
      statements.lastAmounts(this.#mapping, sources, [...inquiries.keys()]),
    );
    const fitting = amounts.filter((row) => fits(inquiries.get(row.walletId), row));
    return [...recorded, ...fitting.map(({ walletId }) => walletId)];
  }

  async #readChains(
    session: Queryable,
    rows: readonly Comparison[],
    found: FactSheet,
  ): Promise<void> {
    const ids = idsOf(rows, ({ caches }) => caches.some(({ field }) => field === 'balanceAfter'));
    const statement = statements.breaks(this.#mapping, ids);
    if (ids.length === 0 || statement === undefined) return;
    for (const row of await session.query<ChainRow>(statement)) {
      const { count, offset, first } = row;
      found.edit(row.walletId).chain = { count, offset, first: first ?? [] };
    }
  }

  /** What wallets that have entries by now held before, as it was recorded at the installation. */
  async #readOpenings(
    session: Queryable,
    rows: readonly Comparison[],
    found: FactSheet,
  ): Promise<void> {
    const ids = idsOf(rows, (row) => row.entryCount !== '0' && differs(row, ['balance']));
    if (ids.length === 0 || !this.#mapping.openingsKept) return;
    const read = await session.query<{ walletId: string; balance: string }>(
      openingsOf(this.#mapping, ids),
    );
    for (const { walletId, balance } of read) found.edit(walletId).opening = balance;
  }

  async #readHolds(
    session: Queryable,
    sources: Sources,
    rows: readonly Comparison[],
    found: FactSheet,
  ): Promise<void> {
    const ids = idsOf(rows, (row) => differs(row, ['pendingBalance']));
    if (ids.length === 0 || !sources.holds) return;
    const read = await session.query<{ walletId: string; open: string; held: string }>(
      statements.openHolds(this.#mapping.ledger.table.quoted, ids),
    );
    for (const { walletId, open, held } of read) {
      found.edit(walletId).holds = { open, held };
    }
  }

  /** Where triggers were absent: the entries made meanwhile, for those that lack anything. */
  async #readWindows(
    session: Queryable,
    rows: readonly Comparison[],
    found: FactSheet,
  ): Promise<void> {
    const targets = rows.flatMap((row) => {
      const facts = row.walletId === null ? undefined : found.of(row.walletId);
      return facts === undefined || facts.gaps.length === 0 ? [] : targetsOf(row, facts);
    });
    const gaps = [...new Set(found.all().flatMap((facts) => facts.gaps))];
    if (targets.length === 0) return;
    const spans = gaps.map(({ lastSeenAt, endedAt }) => ({ from: lastSeenAt, to: endedAt }));
    const statement = statements.windows(this.#mapping, targets, spans);
    if (statement === undefined) return;
    for (const { walletId, lastTime, ...window } of await session.query<WindowRow>(statement)) {
      const { gaps: known, windows } = found.of(walletId);
      const gap = known.find((one) => isIn(one, lastTime));
      if (gap !== undefined) found.edit(walletId).windows = [...windows, { ...window, gap }];
    }
  }
}

interface AmountsRow {
  readonly walletId: string;
  readonly amounts: string | null;
  readonly transactions: string | null;
}

type EntryTuple = readonly [string, string, string, string | null, string];
type ChainRow = Omit<ChainFact, 'first'> & {
  readonly walletId: string;
  readonly first: ChainFact['first'] | null;
};
type WindowRow = Omit<WindowFact, 'gap'> & { readonly walletId: string; readonly lastTime: string };

/** Whether something is on record that entries have to be held against. */
function hasRecords({ caches }: Comparison, { failures, writes }: Facts): boolean {
  return (
    failures.length + writes.length > 0 || caches.some(({ field }) => field === 'balanceAfter')
  );
}

/** Whether entries with these amounts can be what is lacking. */
function fits(inquiry: Inquiry | undefined, row: AmountsRow): boolean {
  if (inquiry === undefined || row.amounts === null) return false;
  const amounts = row.amounts.split(' ').map(Number);
  const transactions = (row.transactions ?? '').split(' ');
  return PARTS.some((part) => couldAddUpTo(inquiry.lack(part), amounts, transactions));
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
  const inquiry = new Inquiry(row, facts);
  if (!inquiry.concernsEntries) return [];
  return PARTS.flatMap((part) => {
    const lacking = inquiry.lack(part);
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
