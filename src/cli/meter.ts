/** How fast a run is and how long it will take still: only time in which it is at work counts. */
export class Meter {
  /** When it was last begun or gone on with, in milliseconds of a monotonic clock; null: it waits. */
  #since: number | null;
  #worked = 0;

  constructor(now: number) {
    this.#since = now;
  }

  /** Whether the run waits. */
  get waits(): boolean {
    return this.#since === null;
  }

  /** The run waits from here. Twice is once. */
  pause(now: number): void {
    this.#worked = this.#workedUntil(now);
    this.#since = null;
  }

  /** The run is at work from here. Twice is once. */
  goOn(now: number): void {
    this.#since ??= now;
  }

  /** Wallets a second, of so many that this process has looked at. */
  rate(looked: number, now: number): number {
    return (looked * 1_000) / Math.max(this.#workedUntil(now), 1);
  }

  /** Seconds until the end; undefined where nothing sensible can be said. */
  left(run: { looked: number; checked: number; total: number }, now: number): number | undefined {
    const remaining = run.total - run.checked;
    const tooEarly = run.looked <= 0 || run.checked < run.total * EARLIEST;
    if (this.waits || remaining < 0 || tooEarly) return undefined;
    return remaining / this.rate(run.looked, now);
  }

  #workedUntil(now: number): number {
    return this.#worked + (this.#since === null ? 0 : now - this.#since);
  }
}

/** Before so much is done, an estimate is a guess. */
const EARLIEST = 0.01;
