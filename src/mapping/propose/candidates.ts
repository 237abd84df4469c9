import type { Catalog, CatalogTable } from '../catalog.js';
import type { Clue } from './columns.js';
import { Links, type Link } from './links.js';
import {
  ledgerShape,
  linkClues,
  linkFault,
  profileShape,
  walletShape,
  type Shape,
} from './shapes.js';
import type { PartName } from './roles.js';

/** Ledgers with their wallets, the likeliest first; all in memory. */

/** A ledger and its wallets. */
export interface Pair {
  readonly ledger: Shape;
  readonly wallet: Shape;
  readonly link: Link;
  readonly clues: readonly Clue[];
  readonly score: number;
}

/** A profile of some wallets. */
export interface ProfileCandidate {
  readonly profile: Shape;
  readonly link: Link;
  readonly score: number;
}

/** A table that looked like a part and cannot be it. */
export interface Rejected {
  readonly part: PartName;
  readonly table: CatalogTable;
  readonly why: string;
  /** How likely it would have been. */
  readonly score: number;
}

/** Fewer points are chance: an order with an amount and a user with points make 20. */
const LEAST_SCORE = 25;

/** A profile needs a link and a name that says so, or a link that is unique. */
const LEAST_PROFILE_SCORE = 12;

/** Finds ledgers and wallets in a catalog, and the profiles of wallets. */
export class Candidates {
  readonly pairs: readonly Pair[];
  readonly rejected: readonly Rejected[];
  readonly links: Links;
  readonly #wallets = new Map<string, Shape | undefined>();
  /** By the oid of a table with balances: what looks like a ledger of it, by foreign keys. */
  readonly #ledgersOf = new Map<string, CatalogTable[]>();

  constructor(catalog: Catalog) {
    this.links = new Links(catalog);
    const pairs: Pair[] = [];
    const rejected: Rejected[] = [];
    for (const table of catalog) {
      const ledger = ledgerShape(table);
      if (ledger !== undefined) this.#pair(ledger, pairs, rejected);
    }
    this.pairs = pairs.filter(({ score }) => score >= LEAST_SCORE).sort(byScore);
    this.rejected = rejected.sort(byScore);
  }

  /** The profiles that these wallets may belong to, the likeliest first. */
  profilesOf({ wallet, ledger }: Pair): {
    found: readonly ProfileCandidate[];
    rejected: readonly Rejected[];
  } {
    const found: ProfileCandidate[] = [];
    const rejected: Rejected[] = [];
    const balance = wallet.played.find(({ role }) => role === 'balance')?.column;
    if (balance === undefined) return { found, rejected };
    const links = [...this.links.from(wallet.table), ...this.links.shared(wallet.table)].filter(
      ({ target }) => target !== ledger.table,
    );
    for (const link of links) {
      const profile = profileShape(link, balance);
      if (profile === undefined) continue;
      const score = sum(profile.clues);
      const fault = profile.fault ?? this.#walletFault(link.target, wallet.table);
      if (fault !== undefined) {
        rejected.push({ part: 'profile', table: profile.table, why: fault, score });
      } else if (score < LEAST_PROFILE_SCORE) {
        const why = `too little speaks for it: ${profile.clues.map(({ text }) => text).join('; ')}`;
        rejected.push({ part: 'profile', table: profile.table, why, score });
      } else {
        found.push({ profile, link, score });
      }
    }
    return { found: found.sort(byScore), rejected: rejected.sort(byScore) };
  }

  #pair(ledger: Shape, pairs: Pair[], rejected: Rejected[]): void {
    let linked = false;
    const links = [...this.links.from(ledger.table), ...this.links.shared(ledger.table)];
    for (const link of links) {
      const wallet = this.#wallet(link);
      if (wallet === undefined) continue;
      linked = true;
      const clues = [...ledger.clues, ...linkClues(link)];
      const score = sum(clues) + sum(wallet.clues);
      const fault = ledger.fault ?? linkFault(link);
      if (link.how === 'foreign key' && isHistory(ledger) && score >= LEAST_SCORE) {
        const known = this.#ledgersOf.get(link.target.oid) ?? [];
        this.#ledgersOf.set(link.target.oid, [...known, ledger.table]);
      }
      if (wallet.fault !== undefined) {
        rejected.push({ part: 'wallet', table: wallet.table, why: wallet.fault, score });
      } else if (fault !== undefined) {
        rejected.push({ part: 'ledger', table: ledger.table, why: fault, score });
      } else {
        pairs.push({ ledger, wallet, link, clues, score });
      }
    }
    if (linked) return;
    const why = ledger.fault ?? 'no column of it names the rows of a table that holds balances';
    rejected.push({ part: 'ledger', table: ledger.table, why, score: sum(ledger.clues) });
  }

  /** Why a table cannot show what a wallet holds: it holds what the entries of another ledger say. */
  #walletFault(table: CatalogTable, wallet: CatalogTable): string | undefined {
    const ofWallet = this.#ledgersOf.get(wallet.oid) ?? [];
    const own = this.#ledgersOf.get(table.oid)?.find((ledger) => !ofWallet.includes(ledger));
    return (
      own && `it looks like the wallet of another ledger: entries of ${own.quoted} name its rows`
    );
  }

  #wallet({ target, key }: Link): Shape | undefined {
    const memo = `${target.oid} ${key.name}`;
    if (!this.#wallets.has(memo)) this.#wallets.set(memo, walletShape(target, key));
    return this.#wallets.get(memo);
  }
}

/** Not an order, an invoice or another thing with a status, which many tables of users have beside them. */
function isHistory({ clues }: Shape): boolean {
  return !clues.some(({ key }) => key === 'paper' || key === 'status');
}

export function sum(clues: readonly Clue[]): number {
  return clues.reduce((total, { points }) => total + points, 0);
}

/** Sorting is stable, and the catalog is in the order of names: of equals, the first by name. */
function byScore(one: { score: number }, other: { score: number }): number {
  return other.score - one.score;
}
