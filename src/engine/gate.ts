import { TrueupError } from '../core/errors.js';

/**
 * What every call passes. An open Trueup lets calls in, and one that was opened with readOnly only those
 * that write nothing. Once closed, it lets nobody in, and knows when the last one has left.
 */
export class Gate {
  readonly #readOnly: boolean;
  readonly #inside = new Set<Promise<unknown>>();
  #closed = false;

  constructor(readOnly: boolean) {
    this.#readOnly = readOnly;
  }

  /** @throws TrueupError `closed` */
  checkOpen(): void {
    if (this.#closed) throw new TrueupError('closed', 'this Trueup is closed');
  }

  /** @throws TrueupError `closed`, `read_only` */
  checkWritable(): void {
    this.checkOpen();
    if (!this.#readOnly) return;
    throw new TrueupError('read_only', 'this Trueup was opened with readOnly', {
      hint: 'Open another one without it to write.',
    });
  }

  /** Runs what only reads. @throws TrueupError `closed` */
  async read<Result>(work: () => Promise<Result>): Promise<Result> {
    this.checkOpen();
    return this.#through(work);
  }

  /** Runs what may write. @throws TrueupError `closed`, `read_only` */
  async write<Result>(work: () => Promise<Result>): Promise<Result> {
    this.checkWritable();
    return this.#through(work);
  }

  async #through<Result>(work: () => Promise<Result>): Promise<Result> {
    const call = work();
    this.#inside.add(call);
    try {
      return await call;
    } finally {
      this.#inside.delete(call);
    }
  }

  /** From now on nobody comes in. */
  close(): void {
    this.#closed = true;
  }

  /** Waits until everybody who came in has been answered. */
  async empty(): Promise<void> {
    await Promise.allSettled(this.#inside);
  }
}
