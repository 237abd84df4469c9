import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Session } from '../postgres/database.js';
import { toTrueupError } from '../postgres/failures.js';
import { noticeGaps } from '../sync/gaps.js';
import { heal, type HealResult } from './heal.js';
import { FAILURE_CHANNEL, listenForFailures, stopListening } from './heal-statements.js';

/** What the healer tells. */
export interface HealerListener {
  readonly onHealed?: (result: HealResult) => void;
  /** The healer itself met an error; it goes on after a pause. */
  readonly onError?: (error: unknown) => void;
}

/** How long the healer waits for a notification before it looks by itself, in milliseconds. */
const LOOK_EVERY_MS = 2_000;

/** The pause after an error, in milliseconds. */
const ERROR_PAUSE_MS = 1_000;

/**
 * Heals recorded sync failures in the background of a long-running process, and keeps note of when the
 * sync triggers were not there.
 *
 * Modes. *Listening*: holds one connection with LISTEN, heals what is due, then waits for the next
 * notification or {@link LOOK_EVERY_MS}, because a failure that was postponed sends none. *Pausing*:
 * after an error; it leaves the connection, waits, and listens again. *Stopped*: for good.
 */
export class Healer {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #listener: HealerListener;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #wake: () => void = () => undefined;
  /** When the sync triggers were last seen to be there. */
  #lastSeenAt: string | undefined;

  constructor(database: Database, mapping: ResolvedMapping, listener: HealerListener = {}) {
    this.#database = database;
    this.#mapping = mapping;
    this.#listener = listener;
    this.#done = this.#run();
  }

  /** Ends the healer after the batch under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#database.session((session) => this.#listen(session));
      } catch (error) {
        this.#listener.onError?.(error);
        await this.#sleep(ERROR_PAUSE_MS);
      }
    }
  }

  async #listen(session: Session): Promise<void> {
    const news = { notified: false, lost: undefined as unknown };
    const onNotification = ({ channel }: { channel: string }): void => {
      if (channel !== FAILURE_CHANNEL) return;
      news.notified = true;
      this.#wake();
    };
    // Nothing is asked on this connection while it listens, so its end is not told by any query.
    const onLost = (error: unknown): void => {
      news.lost = error;
      this.#wake();
    };
    session.client.on('notification', onNotification);
    session.client.on('error', onLost);
    try {
      // Listen first, look afterwards: a failure between the two would wake nobody.
      await session.query(listenForFailures);
      while (!this.#stop.signal.aborted) {
        if (news.lost !== undefined) throw toTrueupError(news.lost);
        news.notified = false;
        const result = await heal(this.#database, this.#mapping, { signal: this.#stop.signal });
        if (result.healed + result.failed > 0) this.#listener.onHealed?.(result);
        await this.#watch();
        if (!hasNews(news)) await this.#sleep(LOOK_EVERY_MS);
      }
      await session.query(stopListening);
    } finally {
      session.client.off('notification', onNotification);
      session.client.off('error', onLost);
    }
  }

  /** Keeps note of spans in which the triggers were not there: later they say why caches are wrong. */
  async #watch(): Promise<void> {
    const { state, at } = await noticeGaps(this.#database, this.#mapping, this.#lastSeenAt);
    if (state === 'present') this.#lastSeenAt = at;
  }

  #sleep(milliseconds: number): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      timer.unref();
      this.#wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Something came while the healer was busy. */
function hasNews(news: { readonly notified: boolean; readonly lost: unknown }): boolean {
  return news.notified || news.lost !== undefined;
}
