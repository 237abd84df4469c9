import type { ResolvedMapping } from '../mapping/model.js';
import { Bell } from '../postgres/bell.js';
import type { Database, Session } from '../postgres/database.js';
import { carryProfiles, type CarryResult } from './carry.js';
import * as statements from './carry-statements.js';
import { MARK_CHANNEL } from './generate-deferred.js';

/** What a carrier tells. */
export interface CarrierListener {
  readonly onCarried?: (result: CarryResult) => void;
  /** The carrier itself met an error; it goes on after a pause. */
  readonly onError?: (error: unknown) => void;
}

/**
 * The pause between two passes while marks come in, in milliseconds. A pass costs five statements
 * whatever it carries, and a profile that got ten entries meanwhile is written once.
 */
const PASS_EVERY_MS = 200;

/** How long an idle carrier sleeps before it looks by itself, in milliseconds. */
const LOOK_EVERY_MS = 2_000;

/** The pause after an error, in milliseconds. */
const ERROR_PAUSE_MS = 1_000;

/**
 * Carries marked profiles in the background of a long-running process.
 *
 * Modes. *Off*: this ledger is not deferred and no mark waits; it looks every two seconds and holds no
 * connection. *Busy*: marks come in; a pass every {@link PASS_EVERY_MS}, and nobody notifies it. *Idle*: a
 * pass found nothing; it holds the idle lock, by which writers know that they have to wake it, has looked
 * once more since, and sleeps. Several carriers may work side by side; one of them is idle at a time,
 * the others look every {@link PASS_EVERY_MS}.
 */
export class Carrier {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #listener: CarrierListener;
  readonly #bell = new Bell(MARK_CHANNEL);
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(database: Database, mapping: ResolvedMapping, listener: CarrierListener = {}) {
    this.#database = database;
    this.#mapping = mapping;
    this.#listener = listener;
    this.#done = this.#run();
  }

  /** Makes it look now, as after the mode was changed. */
  look(): void {
    this.#bell.ring();
  }

  /** Ends the carrier after the batch under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#bell.ring();
    await this.#done;
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (await this.#isWanted()) {
          await this.#database.session((session) =>
            this.#bell.on(session, () => this.#work(session)),
          );
        } else {
          await this.#bell.sleep(LOOK_EVERY_MS);
        }
      } catch (error) {
        this.#listener.onError?.(error);
        await this.#pause();
      }
    }
  }

  async #pause(): Promise<void> {
    if (this.#stopped) return;
    try {
      await this.#bell.sleep(ERROR_PAUSE_MS);
    } catch (error) {
      this.#listener.onError?.(error);
    }
  }

  async #isWanted(): Promise<boolean> {
    const [row] = await this.#database.query<{ wanted: boolean }>(
      statements.carrierWanted(this.#mapping.ledger.table.quoted),
    );
    return row?.wanted === true;
  }

  async #work(session: Session): Promise<void> {
    await session.query(statements.listenForMarks);
    try {
      do {
        while (await this.#pass()) await this.#bell.sleep(PASS_EVERY_MS);
        if (!this.#stopped) await this.#idle(session);
      } while (!this.#stopped && (await this.#isWanted()));
    } finally {
      await session.query(statements.stopListening);
    }
  }

  /** @returns whether there was anything to carry */
  async #pass(): Promise<boolean> {
    if (this.#stopped) return false;
    const signal = this.#stop.signal;
    const result = await carryProfiles(this.#database, this.#mapping, { signal });
    if (result.carried + result.failed > 0) this.#listener.onCarried?.(result);
    return result.carried + result.failed + result.waiting > 0;
  }

  /** Sleeps until it is woken. The look comes after the lock: see generate-deferred.ts. */
  async #idle(session: Session): Promise<void> {
    const ledger = this.#mapping.ledger.table.quoted;
    const [row] = await session.query<{ idle: boolean }>(statements.becomeIdle(ledger));
    if (row?.idle !== true) return this.#bell.sleep(PASS_EVERY_MS);
    try {
      if (!(await this.#pass())) await this.#bell.sleep(LOOK_EVERY_MS);
    } finally {
      await session.query(statements.endIdleness(ledger));
    }
  }
}
