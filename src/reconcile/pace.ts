import { setTimeout as sleep } from 'node:timers/promises';
import { TrueupError } from '../core/errors.js';
import type { Queryable } from '../postgres/database.js';
import { adaptiveSize, fixedSize, type BatchSize } from './batch-size.js';
import type { PaceOptions, ReconcilePause } from './pace-options.js';
import * as statements from './pace-statements.js';

/** How large the next batch is, and whether to wait before it. */
export interface Pace {
  /** Wallets of the next batch. */
  size(): number;
  /** A batch of so many wallets is done, and took so long. */
  done(wallets: number, milliseconds: number): void;
  /** The server ended a batch of so many wallets because it took too long: the next are smaller. */
  tooLong(wallets: number): void;
  /** Waits while it has to, and says why the run has to end here. */
  beforeNext(signal?: AbortSignal): Promise<'go' | 'stopped' | 'run_time'>;
}

/** How a run hears what it is told from any terminal, and says there why it waits: its lease. */
export interface Steering {
  readonly told: 'run' | 'pause' | 'stop';
  /** Aborted once another process has the run: nobody tells this one anything any more. */
  readonly lost?: AbortSignal;
  tell(waiting: string | null): Promise<void>;
}

/** What a pace works with. */
export interface PaceParts {
  readonly database: Queryable;
  /** Where the run hears what it is told; left out: it is told nothing. */
  readonly lease?: Steering | undefined;
  /** Hears why the run waits, once for each reason; null: it goes on. */
  readonly onPause?: ((pause: ReconcilePause) => void) | undefined;
  /** A clock that never jumps, in milliseconds. */
  readonly now?: () => number;
}

/** How long a run waits before it looks again whether it may go on, in milliseconds. */
const LOOK_EVERY_MS = { told: 200, lag: 1_000, load: 1_000 } as const;

/** The pace of a run. */
export function paceOf(options: PaceOptions, parts: PaceParts): Pace {
  const size: BatchSize =
    options.batchSize === undefined ? adaptiveSize() : fixedSize(options.batchSize);
  return new SteeredPace(size, options, parts);
}

/** Why a run waits. */
interface Wait {
  /** Waits of one kind are told once. */
  readonly kind: NonNullable<ReconcilePause['kind']>;
  readonly reason: string;
}

class SteeredPace implements Pace {
  readonly #size: BatchSize;
  readonly #options: PaceOptions;
  readonly #parts: PaceParts;
  readonly #now: () => number;
  readonly #startedAt: number;
  /** Rest that is still owed for work that was done, in milliseconds. */
  #owed = 0;

  constructor(size: BatchSize, options: PaceOptions, parts: PaceParts) {
    this.#size = size;
    this.#options = options;
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
    this.#startedAt = this.#now();
  }

  size(): number {
    return this.#size.next();
  }

  done(wallets: number, milliseconds: number): void {
    this.#size.done(wallets, milliseconds);
    this.#owed += milliseconds * (this.#options.nice ?? 0);
  }

  tooLong(wallets: number): void {
    this.#size.tooLong(wallets);
  }

  async beforeNext(signal?: AbortSignal): Promise<'go' | 'stopped' | 'run_time'> {
    await this.#rest(signal);
    let told: Wait['kind'] | undefined;
    for (;;) {
      if (signal?.aborted === true || this.#parts.lease?.lost?.aborted === true) break;
      if (this.#parts.lease?.told === 'stop') return 'stopped';
      if (this.#isOver()) return 'run_time';
      const wait = await this.#reasonToWait();
      if (wait === undefined) break;
      if (wait.kind !== told) await this.#tell(wait);
      told = wait.kind;
      await rest(LOOK_EVERY_MS[wait.kind], signal);
    }
    if (told !== undefined) await this.#tell({ kind: null, reason: null });
    return 'go';
  }

  #isOver(): boolean {
    const { runTime } = this.#options;
    return runTime !== undefined && this.#now() - this.#startedAt >= runTime * 1_000;
  }

  /** In small pieces: a run that rests for long is still told to stop at once. */
  async #rest(signal: AbortSignal | undefined): Promise<void> {
    while (this.#owed > 0 && signal?.aborted !== true && !this.#isOver()) {
      if (this.#parts.lease?.told === 'stop') return;
      const piece = Math.min(this.#owed, LOOK_EVERY_MS.told);
      const began = this.#now();
      await rest(piece, signal);
      this.#owed -= Math.max(this.#now() - began, piece);
    }
    this.#owed = 0;
  }

  async #reasonToWait(): Promise<Wait | undefined> {
    if (this.#parts.lease?.told === 'pause') {
      return { kind: 'told', reason: 'paused: trueup runs resume lets it go on' };
    }
    const { maxLag, maxLoad } = this.#options;
    if (maxLag === undefined && maxLoad === undefined) return undefined;
    const [busy] = await this.#parts.database.query<statements.Busyness>(statements.busyness);
    return busy === undefined ? undefined : tooBusy(busy, this.#options);
  }

  async #tell(pause: ReconcilePause): Promise<void> {
    this.#parts.onPause?.(pause);
    await this.#parts.lease?.tell(pause.reason);
  }
}

/**
 * Whether the server is too busy for another batch.
 *
 * @throws TrueupError `permission_denied`: this role is not shown what others do
 */
export function tooBusy(
  busy: statements.Busyness,
  { maxLag, maxLoad }: Pick<PaceOptions, 'maxLag' | 'maxLoad'>,
): Wait | undefined {
  if (!busy.visible) {
    throw new TrueupError(
      'permission_denied',
      'this role is not shown how busy the server is, so maxLag and maxLoad cannot be kept',
      { hint: 'GRANT pg_monitor to it, or leave them out.' },
    );
  }
  if (maxLag !== undefined && busy.lag > maxLag) {
    const behind = busy.lag.toFixed(1);
    return {
      kind: 'lag',
      reason: `a standby is ${behind} s behind (at most ${String(maxLag)})`,
    };
  }
  if (maxLoad !== undefined && busy.active > maxLoad) {
    const active = String(busy.active);
    return {
      kind: 'load',
      reason: `${active} other sessions are at work (at most ${String(maxLoad)})`,
    };
  }
  return undefined;
}

/** Sleeps; an abort ends the sleep early and is no error. */
async function rest(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}
