import type { Finding } from '../core/drift.js';
import { TrueupError } from '../core/errors.js';
import type { PostItem } from '../core/posting/request.js';
import type { ItemOutcome, PostedEntry } from '../ledger/outcomes.js';
import { Poster, POSTER_DEFAULTS, POSTING_SESSION, type PosterOptions } from '../ledger/poster.js';
import { prepare } from '../ledger/prepare.js';
import { expireOverdueHolds } from '../ledger/expiry.js';
import { HoldExpirer } from '../ledger/expirer.js';
import * as settings from '../ledger/settings.js';
import { openWallet, type OpenWalletRequest } from '../ledger/wallets.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { isOwn } from '../mapping/own.js';
import type { Database } from '../postgres/database.js';
import { type HealResult } from '../reconcile/heal.js';
import { Healer } from '../reconcile/healer.js';
import type { ReconcileOptions, ReconcileSummary } from '../reconcile/options.js';
import { reconcile } from '../reconcile/run.js';
import { Carrier } from '../sync/carrier.js';
import type { CarryResult } from '../sync/carry.js';
import { VERSION } from '../version.js';
import { disconnect, type Connection } from './connect.js';
import { Care, type CareSource } from './care.js';
import { Within, type TransactionClient } from './within.js';

/** What {@link Trueup.on} can listen to, and what the listener is given. */
export interface TrueupEvents {
  /** reconcile saw a cache that differs from the ledger. */
  drift: [finding: Finding];
  /** An entry was posted by this Trueup, and committed. */
  entry: [entry: PostedEntry];
  /** The background healer closed sync failures, or tried to. */
  heal: [result: HealResult];
  /** The background carrier made marked profiles follow (deferred mode). */
  carry: [result: CarryResult];
  /** Background work (healing, carrying, closing overdue holds) met an error; it goes on. */
  healerError: [error: unknown];
}

/** What opening made ready, so that close() can end it in reverse order. */
type Parts = Connection & CareSource;

/** An open Trueup: one database, one mapping. */
export class Trueup extends Care<TrueupEvents> {
  readonly #parts: Parts;
  readonly #healer: Healer | undefined;
  readonly #carrier: Carrier | undefined;
  readonly #carrying: Database;
  readonly #expirer: HoldExpirer | undefined;
  readonly #posting: Database;
  readonly #poster: Poster;
  #closed: Promise<void> | undefined;

  constructor(parts: Parts, options: { healer: boolean; posting?: Partial<PosterOptions> }) {
    super();
    this.#parts = parts;
    const posting = { ...POSTER_DEFAULTS, ...options.posting };
    this.#posting = parts.database.sibling({
      maxConnections: posting.lanes + 1,
      pipeline: true,
      session: POSTING_SESSION,
      onBroken: () => {
        this.#poster.forget();
      },
    });
    this.#poster = new Poster(this.#posting, parts.mapping, posting);
    this.#healer = options.healer
      ? new Healer(parts.database, parts.mapping, {
          onHealed: (result) => this.emit('heal', result),
          onError: (error) => this.emit('healerError', error),
        })
      : undefined;
    // One connection to listen with, and one to work with: they connect when there is work.
    this.#carrying = parts.database.sibling({ maxConnections: 2 });
    this.#carrier = options.healer
      ? new Carrier(this.#carrying, parts.mapping, {
          onCarried: (result) => this.emit('carry', result),
          onError: (error) => this.emit('healerError', error),
        })
      : undefined;
    this.#expirer = options.healer
      ? new HoldExpirer(parts.database, parts.mapping, (error) => this.emit('healerError', error))
      : undefined;
  }

  /** The mapping with what the database says about it. */
  get mapping(): ResolvedMapping {
    return this.#parts.mapping;
  }

  protected get source(): CareSource {
    return this.#parts;
  }

  /** Has the background carrier look for marks, where there is one. */
  protected override wakeCarrier(): void {
    this.#carrier?.look();
  }

  /**
   * Posts items in their order, in one transaction that it may share with other callers: one outcome
   * for each item, once they are committed. A refused item does not keep the others from being
   * posted, but for those with the same link.
   *
   * @throws TrueupError also `overloaded` (too much waits; nothing was accepted), `closed`,
   *   `outcome_unknown` (the connection was lost at the commit)
   */
  async post(items: readonly PostItem[]): Promise<ItemOutcome[]> {
    if (items.length === 0) return [];
    const outcomes = await this.#poster.post(prepare(this.mapping, items));
    if (this.listenerCount('entry') > 0) {
      for (const outcome of outcomes) this.#announce(outcome);
    }
    return outcomes;
  }

  #announce(outcome: ItemOutcome): void {
    if (outcome.status !== 'posted' || outcome.replayed) return;
    for (const entry of outcome.entries) this.emit('entry', entry);
  }

  /**
   * The verbs inside a transaction that the caller has begun on his own connection and ends himself:
   * coins and his own rows in one commit.
   */
  within(client: TransactionClient): Within {
    return new Within(client, this.mapping);
  }

  /**
   * Opens a wallet in Trueup's own tables.
   *
   * @returns its id
   * @throws TrueupError `feature_off` on adopted tables: their application opens wallets itself
   */
  async openWallet(request: OpenWalletRequest): Promise<string> {
    if (!isOwn(this.#parts.source)) {
      throw new TrueupError('feature_off', 'an adopted application opens its wallets itself');
    }
    return openWallet(this.#parts.database, request);
  }

  /** Sets how far a wallet's balance may move. */
  setWalletLimits(walletId: string, limits: settings.WalletLimits): Promise<void> {
    return settings.setWalletLimits(this.#parts.database, this.mapping, walletId, limits);
  }

  /** Refuses every posting and hold on a wallet from now on. */
  freeze(walletId: string, reason?: string): Promise<void> {
    return settings.freezeWallet(this.#parts.database, this.mapping, walletId, reason);
  }

  /** Ends {@link freeze}. */
  unfreeze(walletId: string): Promise<void> {
    return settings.unfreezeWallet(this.#parts.database, this.mapping, walletId);
  }

  /** Limits what may be spent in a window of time, such as 10,000 coins a day for one reason. */
  setSpendingLimit(limit: settings.SpendingLimitRequest): Promise<settings.SpendingLimit> {
    return settings.setSpendingLimit(this.#parts.database, this.mapping, limit);
  }

  /** Takes a spending limit away, and tells whether there was one. */
  removeSpendingLimit(limitId: string): Promise<boolean> {
    return settings.removeSpendingLimit(this.#parts.database, this.mapping, limitId);
  }

  /** All spending limits. */
  spendingLimits(): Promise<settings.SpendingLimit[]> {
    return settings.listSpendingLimits(this.#parts.database, this.mapping);
  }

  /**
   * Closes holds whose time is over, and tells in how many wallets. An open Trueup does this by
   * itself in the background, unless it was opened without healer.
   */
  expireHolds(): Promise<number> {
    return expireOverdueHolds(this.#parts.database, this.mapping);
  }

  /** Finds every cache that differs from the ledger and repairs it, or only reports it. */
  reconcile(options: ReconcileOptions): Promise<ReconcileSummary> {
    return reconcile(
      this.#parts.database,
      this.mapping,
      {
        ...options,
        onFinding: (finding) => {
          this.emit('drift', finding);
          options.onFinding?.(finding);
        },
      },
      VERSION,
    );
  }

  /**
   * Waits until everything that was handed in is committed and answered, ends the healer and every
   * connection, and leaves the embedded server.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#poster.close();
    this.endStatements();
    await Promise.all([this.#healer?.stop(), this.#carrier?.stop(), this.#expirer?.stop()]);
    await Promise.all([this.#posting.close(), this.#carrying.close()]);
    await disconnect(this.#parts);
  }
}
