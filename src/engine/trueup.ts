import type { Finding } from '../core/drift.js';
import type { PostItem } from '../core/posting/request.js';
import type { ItemOutcome, PostedEntry } from '../ledger/outcomes.js';
import { connectionsOf, Poster, POSTING_SESSION, type PosterOptions } from '../ledger/poster.js';
import { prepare } from '../ledger/prepare.js';
import { HoldExpirer } from '../ledger/expirer.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { type HealResult } from '../reconcile/heal.js';
import { Healer } from '../reconcile/healer.js';
import { checkOptions, type ReconcileOptions } from '../reconcile/options.js';
import { withFiles } from '../operations/files.js';
import { reconcile } from '../reconcile/run.js';
import type { ReconcileSummary } from '../reconcile/summary.js';
import { Carrier } from '../sync/carrier.js';
import type { CarryResult } from '../sync/carry.js';
import type { RaisedAlert } from '../operations/alerts/raise.js';
import { VERSION } from '../version.js';
import { disconnect, type Connection } from './connect.js';
import { Nightly } from './nightly.js';
import type { ListenerFailure } from './events.js';
import { Gate } from './gate.js';
import type { ReadSource } from './reads.js';
import type { ChangeSource } from './settings.js';
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
  /** A run of this Trueup over the whole ledger has raised an alert. */
  alert: [alert: RaisedAlert];
  /** Background work (healing, carrying, closing overdue holds) met an error; it goes on. */
  healerError: [error: unknown];
  /** A listener has thrown, or its promise was rejected. What it listened to has happened. */
  listenerError: [failure: ListenerFailure];
}

/** What opening made ready, so that close() can end it in reverse order. */
interface Parts extends Connection, ChangeSource {}

/** How an open Trueup works. */
interface Manner {
  readonly healer: boolean;
  readonly readOnly: boolean;
  readonly posting: PosterOptions;
}

/** An open Trueup: one database, one mapping. */
export class Trueup extends Nightly<TrueupEvents> {
  readonly #parts: Parts;
  readonly #healer: Healer | undefined;
  readonly #carrier: Carrier | undefined;
  readonly #carrying: Database;
  readonly #expirer: HoldExpirer | undefined;
  readonly #posting: Database;
  readonly #poster: Poster;
  readonly #gate: Gate;
  readonly #most: number;
  #closed: Promise<void> | undefined;

  /** @internal Open one with `openTrueup`. */
  constructor(parts: Parts, { healer, readOnly, posting }: Manner) {
    super();
    this.#parts = parts;
    this.#gate = new Gate(readOnly);
    this.#most = posting.queueLimit;
    this.#posting = parts.database.sibling({
      maxConnections: connectionsOf(posting),
      pipeline: true,
      session: POSTING_SESSION,
      onBroken: () => {
        this.#poster.forget();
      },
    });
    this.#poster = new Poster(this.#posting, parts.mapping, posting);
    const onError = (error: unknown): void => {
      this.tell('healerError', error);
      this.workFailed(error);
    };
    this.#healer = healer
      ? new Healer(parts.database, parts.mapping, {
          onHealed: (result) => {
            this.tell('heal', result);
          },
          onError,
        })
      : undefined;
    // One connection to listen with, and one to work with: they connect when there is work.
    this.#carrying = parts.database.sibling({ maxConnections: 2 });
    this.#carrier = healer
      ? new Carrier(this.#carrying, parts.mapping, {
          onCarried: (result) => {
            this.tell('carry', result);
          },
          onError,
        })
      : undefined;
    this.#expirer = healer ? new HoldExpirer(parts.database, parts.mapping, onError) : undefined;
  }

  /** The mapping with what the database says about it. */
  get mapping(): ResolvedMapping {
    return this.#parts.mapping;
  }

  /**
   * Where another client finds the database that this Trueup works on, as `pg` and `psql` take it. For
   * the embedded server it names the folder of its socket; for your own it is the URL that you gave.
   */
  get connectionString(): string {
    return this.#parts.url;
  }

  /** Asks the database what only reads, unless this Trueup is closed. */
  protected ask<Answer>(work: (source: ChangeSource) => Promise<Answer>): Promise<Answer> {
    return this.#gate.read(() => work(this.#parts));
  }

  /** The same for what may write; refused also where this Trueup is read-only. */
  protected change<Answer>(work: (source: ChangeSource) => Promise<Answer>): Promise<Answer> {
    return this.#gate.write(() => work(this.#parts));
  }

  /** Has the background carrier look for marks, where there is one. */
  protected override wakeCarrier(): void {
    this.#carrier?.look();
  }

  /**
   * Posts items in their order, in one transaction that it may share with other callers: one outcome
   * for each item, once they are committed. A refused item does not keep the others from being
   * posted, but for those with the same link. The items are copied: changing them later changes
   * nothing.
   *
   * @throws TrueupError also `overloaded` (too much waits; nothing was accepted), `closed`,
   *   `read_only`, `outcome_unknown` (the connection was lost at the commit)
   */
  async post(items: readonly PostItem[]): Promise<ItemOutcome[]> {
    this.#gate.checkWritable();
    const prepared = prepare(this.mapping, items, this.#most);
    if (prepared.length === 0) return [];
    const outcomes = await this.#poster.post(prepared);
    if (this.listenerCount('entry') > 0) {
      for (const outcome of outcomes) this.#announce(outcome);
    }
    return outcomes;
  }

  #announce(outcome: ItemOutcome): void {
    if (outcome.status !== 'posted' || outcome.replayed) return;
    for (const entry of outcome.entries) this.tell('entry', entry);
  }

  /**
   * The verbs inside a transaction that the caller has begun on a connection of its own, and will end:
   * coins and the caller's own rows in one commit.
   *
   * @throws TrueupError `invalid_argument` where this is no client
   */
  within(client: TransactionClient): Within {
    return new Within(client, { mapping: this.mapping, gate: this.#gate, most: this.#most });
  }

  /**
   * Finds every cache that differs from the ledger and repairs it, or only reports it; with `report` and
   * `plan` it writes files of what it found.
   */
  override async reconcile(options: ReconcileOptions): Promise<ReconcileSummary> {
    const { onFinding, ...checked } = checkOptions(options);
    const tell = (finding: Finding): void => {
      this.tell('drift', finding);
      onFinding?.(finding);
    };
    const run = (source: ReadSource): Promise<ReconcileSummary> =>
      this.raising(source.mapping.ledger.table.quoted, checked, (atEnd) =>
        withFiles(source, { ...checked, onFinding: tell }, (told) =>
          reconcile(source.database, source.mapping, told, VERSION, atEnd),
        ),
      );
    return checked.dryRun ? this.ask(run) : this.change(run);
  }

  /** Tells listeners of an alert. */
  protected override tellAlert(alert: RaisedAlert): void {
    this.tell('alert', alert);
  }

  /** Starts the embedded server again, where there is one. */
  protected override reviver(): (() => Promise<void>) | undefined {
    const { server } = this.#parts;
    return server === undefined ? undefined : () => server.rejoin();
  }

  /**
   * Waits until everything that was handed in is committed and answered, ends the healer and every
   * connection, and leaves the embedded server. Whatever is called from then on is `closed`.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#gate.close();
    const operated = this.endOperations(); // A run under way is inside the gate, and finishes its batch.
    this.endStatements(); // First, because others may wait for their connections.
    await Promise.all([this.#poster.close(), this.#gate.empty(), operated]);
    this.endStatements();
    await Promise.all([this.#healer?.stop(), this.#carrier?.stop(), this.#expirer?.stop()]);
    await Promise.all([this.#posting.close(), this.#carrying.close()]);
    await disconnect(this.#parts);
  }
}
