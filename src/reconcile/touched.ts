import type { ResolvedMapping } from '../mapping/model.js';
import { keepsOwnTables } from '../mapping/own.js';
import type { Database, Statement } from '../postgres/database.js';
import { inOrder, slices } from './chunks.js';
import * as statements from './touched-statements.js';

/**
 * Which wallets may have drifted since a watermark: whose row, whose profile, whose entries or holds were
 * written since, and whose findings are open. What is gone leaves no trace in any row; of that only missing
 * profiles are seen here, the rest by the rolling slice.
 */

/** What a check since a watermark has to look at. */
export type Touched =
  | {
      readonly state: 'found';
      /** About in the order of their index. */
      readonly walletIds: readonly string[];
      /** Of profiles that have no wallet. */
      readonly profileIds: readonly string[];
    }
  /** Looking at every wallet is quicker. */
  | { readonly state: 'too_many' }
  | { readonly state: 'stopped' };

export interface TouchedOptions {
  /** The watermark. */
  readonly since: string;
  /** Wallets and profiles that are kept in memory at most. */
  readonly most: number;
  /** Pieces that are read side by side. */
  readonly jobs: number;
  /** Sends a statement again where the connection was lost. */
  readonly patiently: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** Asked before each piece: false ends the search. */
  readonly goOn: () => Promise<boolean>;
}

/** Blocks of a table that one statement reads: 16 MB, some 20 ms. */
const PIECE = 2_048;

/** Rows that come at once where there is an order to page by. */
const PAGE = 20_000;

/** Finds what was touched. Reads only, in short statements. */
export async function findTouched(
  database: Database,
  mapping: ResolvedMapping,
  options: TouchedOptions,
): Promise<Touched> {
  const search = new Search(database, mapping, options);
  for (const look of search.looks()) {
    const end = await look();
    if (end !== undefined) return { state: end };
  }
  return {
    state: 'found',
    walletIds: [...search.wallets].sort(byIndex),
    profileIds: [...search.alone].sort(byIndex),
  };
}

/** Numbers by their size, everything else by its text: neighbours in an index stay together. */
function byIndex(one: string, other: string): number {
  if (one.length !== other.length && isNumber(one) && isNumber(other)) {
    return one.length - other.length;
  }
  return one < other ? -1 : 1;
}

function isNumber(id: string): boolean {
  const first = id.charCodeAt(0);
  return first >= 48 && first <= 57 && id.length < 20;
}

interface PageRow extends statements.TouchedRow {
  readonly id?: string;
}

/** Why a search ends early. */
type End = 'too_many' | 'stopped' | undefined;

class Search {
  readonly wallets = new Set<string>();
  /** Profiles without a wallet. */
  readonly alone = new Set<string>();
  /** Profiles whose wallets are known already. */
  readonly #profiles = new Set<string>();
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #options: TouchedOptions;

  constructor(database: Database, mapping: ResolvedMapping, options: TouchedOptions) {
    this.#database = database;
    this.#mapping = mapping;
    this.#options = options;
  }

  /** Wallets first: whoever is followed by the triggers touches his wallet and his profile. */
  looks(): (() => Promise<End>)[] {
    return [
      () => this.#readTable(statements.walletSource(this.#mapping)),
      () => this.#readTable(statements.profileSource(this.#mapping)),
      () => this.#readEntries(),
      () => this.#readHolds(),
      () => this.#readFindings(),
      () => this.#readMissingProfiles(),
    ];
  }

  async #readTable(source: statements.Source | undefined): Promise<End> {
    if (source === undefined) return undefined;
    const [size] = await this.#query<{ blocks: string }>(statements.blockCount(source.oid));
    const starts: number[] = [];
    for (let from = 0; from === 0 || from < Number(size?.blocks ?? 0); from += PIECE) {
      starts.push(from);
    }
    // The last piece has no end: rows may have been added meanwhile.
    const last = starts.at(-1);
    const pieces = inOrder(starts, this.#options.jobs, async (from) => {
      if (this.#isFull() || !(await this.#options.goOn())) return undefined;
      const blocks = { from, before: from === last ? undefined : from + PIECE };
      return this.#query<statements.TouchedRow>(source.piece(this.#options.since, blocks));
    });
    for await (const rows of pieces) {
      if (rows !== undefined) await this.#keep(rows);
      if (this.#isFull()) return 'too_many';
      if (rows === undefined) return 'stopped';
    }
    return undefined;
  }

  /**
   * Trueup's own ledger has an index for it, and fills in who wrote an entry; only a subscription brings
   * entries that name transactions of elsewhere. Of every other ledger the rows are read.
   */
  async #readEntries(): Promise<End> {
    const mapping = this.#mapping;
    const [row] = await this.#query<{ subscribed: boolean }>(
      statements.isSubscribed(mapping.ledger.table.oid),
    );
    if (!keepsOwnTables(mapping) || row?.subscribed === true) {
      return this.#readTable(statements.entrySource(mapping));
    }
    const page = (above: string | undefined): Statement =>
      statements.entriesByWriter(mapping, this.#options.since, { above, size: PAGE });
    return this.#readPages((above) =>
      this.#options.patiently(() =>
        this.#database.transaction(
          (session) => session.query<statements.TouchedRow>(page(above)),
          statements.BY_INDEX,
        ),
      ),
    );
  }

  async #readHolds(): Promise<End> {
    const { holdsKept, wallet } = this.#mapping;
    if (!holdsKept || wallet.pendingBalance === undefined) return undefined;
    const [table] = await this.#query<{ oid: string }>(statements.holdsTable);
    return this.#readTable(
      table === undefined ? undefined : statements.holdSource(this.#mapping, table.oid),
    );
  }

  #readFindings(): Promise<End> {
    const { quoted } = this.#mapping.ledger.table;
    return this.#readPages((above = '0') =>
      this.#query(statements.openFindings(quoted, above, PAGE)),
    );
  }

  async #readMissingProfiles(): Promise<End> {
    const asked = statements.profilesKept(this.#mapping);
    if (asked === undefined) return undefined;
    const [row] = await this.#query<{ kept: boolean }>(asked);
    const missing = statements.walletsWithoutProfile(this.#mapping, this.#options.most + 1);
    if (row?.kept === true || missing === undefined) return undefined;
    for (const { walletId } of await this.#query<statements.TouchedRow>(missing)) {
      if (typeof walletId === 'string') this.wallets.add(walletId);
    }
    return this.#isFull() ? 'too_many' : undefined;
  }

  /** Reads page by page; a row's place among the pages is its id, or else its wallet. */
  async #readPages(page: (above: string | undefined) => Promise<readonly PageRow[]>): Promise<End> {
    let above: string | undefined;
    for (;;) {
      if (!(await this.#options.goOn())) return 'stopped';
      const rows = await page(above);
      await this.#keep(rows);
      if (this.#isFull()) return 'too_many';
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return undefined;
      above = last.id ?? last.walletId ?? undefined;
    }
  }

  async #keep(rows: readonly statements.TouchedRow[]): Promise<void> {
    const unknown = new Set<string>();
    for (const { walletId, profileId } of rows) {
      if (typeof walletId === 'string') {
        this.wallets.add(walletId);
        if (typeof profileId === 'string') this.#profiles.add(profileId);
      } else if (typeof profileId === 'string' && !this.#profiles.has(profileId)) {
        unknown.add(profileId);
      }
    }
    for (const ids of slices([...unknown], PAGE)) await this.#lookUp(ids);
  }

  /** Adds the wallets of profiles that were touched by themselves. */
  async #lookUp(profileIds: readonly string[]): Promise<void> {
    const statement = statements.walletsOfProfiles(this.#mapping, profileIds);
    if (statement === undefined) return;
    const found = new Set<string>();
    for (const { walletId, profileId } of await this.#query<statements.TouchedRow>(statement)) {
      if (typeof walletId === 'string') this.wallets.add(walletId);
      if (typeof profileId === 'string') found.add(profileId);
    }
    for (const id of profileIds) {
      this.#profiles.add(id);
      if (!found.has(id)) this.alone.add(id);
    }
  }

  #isFull(): boolean {
    return Math.max(this.wallets.size, this.#profiles.size, this.alone.size) > this.#options.most;
  }

  #query<Row extends object>(statement: Statement): Promise<readonly Row[]> {
    return this.#options.patiently(() => this.#database.query<Row>(statement));
  }
}
