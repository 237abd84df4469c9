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
import type { Mapping } from '../mapping/schema.js';
import type { Database } from '../postgres/database.js';
import { heal, type HealResult } from '../reconcile/heal.js';
import { Healer } from '../reconcile/healer.js';
import type { ReconcileOptions, ReconcileSummary } from '../reconcile/options.js';
import { reconcile } from '../reconcile/run.js';
import * as services from '../reconcile/services.js';
import { backfillActivity, type BackfilledActivity } from '../sync/activity.js';
import { Carrier } from '../sync/carrier.js';
import { carryAll, type CarryResult } from '../sync/carry.js';
import type { SyncMode } from '../sync/generate.js';
import { installSync, removeSync, syncStatus, type SyncStatus } from '../sync/sync.js';
import { VERSION } from '../version.js';
import { disconnect, type Connection } from './connect.js';
import { Reads, type ReadSource } from './reads.js';
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
interface Parts extends Connection {
  readonly mapping: ResolvedMapping;
  readonly source: Mapping;
}

/** An open Trueup: one database, one mapping. */
export class Trueup extends Reads<TrueupEvents> {
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

  protected get source(): ReadSource {
    return this.#parts;
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

  /** Makes a wallet's caches and its profile's what the ledger says. */
  syncWalletToProfile(walletId: string): Promise<services.SyncResult> {
    return services.syncWalletToProfile(this.#parts.database, this.mapping, walletId);
  }

  /** The same for a user's wallet; null where he has none. */
  syncProfileByUserId(userId: string): Promise<services.SyncResult | null> {
    return services.syncProfileByUserId(this.#parts.database, this.mapping, userId);
  }

  /** Compares ledger, wallet and profile exactly. Reads only. */
  getBalanceDrift(walletId: string): Promise<services.BalanceDrift> {
    return services.getBalanceDrift(this.#parts.database, this.mapping, walletId);
  }

  /** Rebuilds lifetime earnings from the ledger and returns them. */
  recomputeLifetimeEarnings(walletId: string): Promise<bigint> {
    return services.recomputeLifetimeEarnings(this.#parts.database, this.mapping, walletId);
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
   * Installs the sync triggers of the mapping, or brings them up to date. With `deferred` profiles are
   * only marked in the commit, and carried by an open Trueup (not one without healer) within a second.
   * Leaving deferred mode carries what is still marked.
   *
   * @throws TrueupError also `feature_off`: nothing to defer
   */
  async installSync(mode: SyncMode = {}): Promise<void> {
    await installSync(this.#parts.database, this.mapping, this.#parts.source, mode);
    if (mode.deferred === true) this.#carrier?.look();
    else await this.carry();
  }

  /** Removes the sync triggers of the mapping, and carries what is still marked. */
  async removeSync(): Promise<void> {
    await removeSync(this.#parts.database, this.mapping);
    await this.carry();
  }

  /** Carries every profile that is marked now, and waits for it. An open Trueup does this by itself. */
  carry(): Promise<CarryResult> {
    return carryAll(this.#parts.database, this.mapping);
  }

  /** Whether the sync triggers stand, and how many failures wait for the healer. */
  syncStatus(): Promise<SyncStatus> {
    return syncStatus(this.#parts.database, this.mapping);
  }

  /**
   * Writes the events of entries that have none in the application's activity table, such as those from
   * before the adoption. It reads the whole ledger; doing it again writes nothing twice.
   *
   * @throws TrueupError `feature_off` where the mapping has no activity
   */
  backfillActivity(options: { signal?: AbortSignal } = {}): Promise<BackfilledActivity> {
    return backfillActivity(this.#parts.database, this.mapping, options);
  }

  /** Takes up recorded sync failures and missed events now. */
  heal(options: { everything?: boolean; signal?: AbortSignal } = {}): Promise<HealResult> {
    return heal(this.#parts.database, this.mapping, options);
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
