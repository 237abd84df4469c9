import type { ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import { expireOverdueHolds } from './expiry.js';

/** The pause between two looks, in milliseconds. */
const LOOK_EVERY_MS = 2_000;

/** Closes overdue holds in the background of a long-running process, until it is stopped. */
export class HoldExpirer {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #wake: () => void = () => undefined;

  constructor(
    database: Database,
    mapping: ResolvedMapping,
    /** The expirer met an error; it goes on after a pause. */
    onError: (error: unknown) => void,
  ) {
    this.#done = this.#run(database, mapping, onError);
  }

  /** Ends it after the wallets under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#done;
  }

  async #run(
    database: Database,
    mapping: ResolvedMapping,
    onError: (error: unknown) => void,
  ): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await expireOverdueHolds(database, mapping, this.#stop.signal);
      } catch (error) {
        onError(error);
      }
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_EVERY_MS);
      timer.unref();
      this.#wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
