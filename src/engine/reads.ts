import type { Readable } from 'node:stream';
import type { WalletReference } from '../core/posting/request.js';
import { openStatement, type StatementRequest } from '../ledger/reads/account.js';
import { readActivity, type ActivityPage, type ActivityRequest } from '../ledger/reads/activity.js';
import {
  readBalance,
  readBalanceAfter,
  readBalanceAt,
  type BalanceAtRequest,
  type EntryBalance,
  type WalletBalance,
} from '../ledger/reads/balance.js';
import { readCirculation, type Circulation } from '../ledger/reads/circulation.js';
import { readHistory, type HistoryPage, type HistoryRequest } from '../ledger/reads/history.js';
import { readHolds, type HoldsPage, type HoldsRequest } from '../ledger/reads/holds.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { Verbs } from './verbs.js';

/** What reads need. */
export interface ReadSource {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
}

/**
 * What can be asked of the economy; docs/reads.md shows each. Coins are `bigint`, times are `Date`.
 * Nothing here locks or writes. A wallet is named by its id or by its user (the primary wallet, or
 * the one of `currency`). All throw `wallet_not_found` and `user_not_found` where there is none,
 * `invalid_argument`, `closed`, `feature_off` (the message names the column that the mapping lacks), and what
 * the database reports (`database_failed`, `database_unreachable`, `permission_denied`).
 */
export abstract class Reads<Told extends Record<keyof Told, unknown[]>> extends Verbs<Told> {
  readonly #statements = new Set<Readable>();

  /** Asks the database, unless this Trueup is closed. */
  protected abstract ask<Answer>(work: (source: ReadSource) => Promise<Answer>): Promise<Answer>;

  /** What a wallet holds, what of it is on hold, and what is available: all of one moment. */
  balance(wallet: WalletReference): Promise<WalletBalance> {
    return this.ask(({ database, mapping }) => readBalance(database, mapping, wallet));
  }

  /**
   * What a wallet held at a time, its millisecond included; 0 before its first entry. Where the
   * ledger is numbered this is the balance after the last entry, by number, whose time is not later.
   */
  balanceAt(request: BalanceAtRequest): Promise<bigint> {
    return this.ask(({ database, mapping }) => readBalanceAt(database, mapping, request));
  }

  /**
   * What the wallet of an entry held after it.
   *
   * @throws TrueupError also `entry_not_found`
   */
  balanceAfter(entryId: string): Promise<EntryBalance> {
    return this.ask(({ database, mapping }) => readBalanceAfter(database, mapping, entryId));
  }

  /**
   * A page of a wallet's entries, the newest first unless asked otherwise. Paging on with
   * `nextCursor` shows no entry twice and misses none, also while entries are written.
   */
  history(request: HistoryRequest): Promise<HistoryPage> {
    return this.ask(({ database, mapping }) => readHistory(database, mapping, request));
  }

  /**
   * A page of a user's events, the newest first: every entry of his wallets is one, `coins_earned` or
   * `coins_spent`. Read from the ledger, so it is there as soon as the entry is.
   */
  activity(request: ActivityRequest): Promise<ActivityPage> {
    return this.ask(({ database, mapping }) => readActivity(database, mapping, request));
  }

  /**
   * All entries of a wallet in a time, between its opening and its closing balance, as a stream of
   * UTF-8 text: CSV (RFC 4180, but lines end with LF) or JSON Lines. Whoever does not read it to its
   * end destroys it.
   */
  statement(request: StatementRequest): Promise<Readable> {
    return this.ask(async ({ database, mapping }) => {
      const stream = await openStatement(database, mapping, request);
      this.#statements.add(stream);
      return stream.once('close', () => this.#statements.delete(stream));
    });
  }

  /** The books of each currency, and whether they close. Reads the whole ledger. */
  circulation(): Promise<Circulation[]> {
    return this.ask(({ database, mapping }) => readCirculation(database, mapping));
  }

  /**
   * A page of a wallet's holds, the newest first. One whose time is over is shown as expired, closed
   * or not.
   *
   * @throws TrueupError also `schema_missing`
   */
  holds(request: HoldsRequest): Promise<HoldsPage> {
    return this.ask(({ database, mapping }) => readHolds(database, mapping, request));
  }

  /** Ends the statements that nobody has read to their end: their connections are needed back. */
  protected endStatements(): void {
    for (const stream of this.#statements) stream.destroy();
  }
}
