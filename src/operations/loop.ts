/** How long a loop waits after an error, in milliseconds: first, and at most. It doubles in between. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Work that is done again and again in the background of a long-running process. It is its own clock: it
 * only ever sleeps for a span, which a jump of the host's clock does not change.
 */
export class Loop {
  readonly #stop = new AbortController();
  readonly #work: (signal: AbortSignal) => Promise<number>;
  readonly #onError: (error: unknown, pauseMs: number) => void;
  readonly #done: Promise<void>;
  #rung = false;
  #wake: () => void = () => undefined;

  /**
   * Begins at once.
   *
   * @param work one turn; it says after how many milliseconds the next one is wanted
   * @param onError a turn has failed; the next one comes after the pause
   */
  constructor(
    work: (signal: AbortSignal) => Promise<number>,
    onError: (error: unknown, pauseMs: number) => void,
  ) {
    this.#work = work;
    this.#onError = onError;
    this.#done = this.#run();
  }

  /** Has the next turn begin now, or as soon as the one under way has ended. */
  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Ends it after the turn under way, which is told by its signal. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#done;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        const pause = await this.#work(this.#stop.signal);
        failures = 0;
        await this.#sleep(pause);
      } catch (error) {
        const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
        failures += 1;
        this.#onError(error, pause);
        await this.#sleep(pause);
      }
    }
  }

  /** The timer keeps the process alive: with a database that is away, nothing else would. */
  async #sleep(milliseconds: number): Promise<void> {
    if (!this.#rung && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#wake = (): void => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#rung = false;
  }
}
