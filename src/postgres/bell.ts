import type { Session } from './database.js';
import { toTrueupError } from './failures.js';

/**
 * What a background worker waits with: it sleeps until a notification comes on its channel, its
 * connection is lost, somebody rings by hand, or the time is over.
 *
 * The worker sends LISTEN itself, and looks for work after it: what happens between the two would wake
 * nobody.
 */
export class Bell {
  readonly #channel: string;
  #rung = false;
  #wake: () => void = () => undefined;
  /** Nothing is asked on a connection that listens, so its end is not told by any query. */
  #lost: unknown;

  constructor(channel: string) {
    this.#channel = channel;
  }

  /** Hears this connection's notifications while `work` runs. */
  async on<Result>(session: Session, work: () => Promise<Result>): Promise<Result> {
    const onNotification = ({ channel }: { channel: string }): void => {
      if (channel === this.#channel) this.ring();
    };
    const onLost = (error: unknown): void => {
      this.#lost = error;
      this.ring();
    };
    this.#lost = undefined;
    session.client.on('notification', onNotification);
    session.client.on('error', onLost);
    try {
      return await work();
    } finally {
      session.client.off('notification', onNotification);
      session.client.off('error', onLost);
    }
  }

  /** Ends the sleep under way; where there is none, the next one ends at once. */
  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /**
   * Sleeps for so many milliseconds at most. What rang since the last sleep counts.
   *
   * @throws TrueupError `database_unreachable` where the connection was lost
   */
  async sleep(milliseconds: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        timer.unref();
        this.#wake = (): void => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#rung = false;
    if (this.#lost !== undefined) {
      const lost = this.#lost;
      this.#lost = undefined;
      throw toTrueupError(lost);
    }
  }
}
