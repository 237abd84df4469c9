import { messageOf } from '../../core/errors.js';
import { isConnectionFailure } from '../../postgres/failures.js';
import type { ReconcileSummary } from '../../reconcile/summary.js';
import type { OnEvent } from '../events.js';
import type { SlotEnd } from './slot-statements.js';
import type { Slot, Slots } from './slots.js';

/** What a scheduled run is to do. */
export interface NightlyRequest {
  /** Look at every wallet, and not only at what was touched since the last verified point. */
  readonly full: boolean;
  /** Go on with this run, which was begun before. */
  readonly resume: string | null;
  /** Finish the batch under way and end. */
  readonly signal: AbortSignal;
}

/** What the run of a slot needs. */
export interface SlotRunParts {
  readonly slots: Slots;
  readonly job: (request: NightlyRequest) => Promise<ReconcileSummary>;
  /** Whether this slot's run has to look at every wallet. */
  readonly isFull: (slot: Slot) => Promise<boolean>;
  /** The run that a slot has to go on with; null where it begins one. */
  readonly unfinishedRun: (slot: Slot) => Promise<string | null>;
  /** A slot came to nothing: people have to hear of it. */
  readonly raiseFailure: (failure: {
    readonly runId: string | null;
    readonly message: string;
  }) => Promise<void>;
  readonly onEvent: OnEvent;
}

/** Errors of a run that only say that another one is at work. */
const OTHER_AT_WORK: readonly string[] = ['run_under_way'];

/** Why a run cannot be resumed. */
const CANNOT_GO_ON: readonly string[] = ['run_changed', 'run_not_found', 'run_not_resumable'];

/** Another process has the run now; it has the slot, or will find that it is free. */
const RUN_LOST = 'run_lost';

/** One slot at work in this process, from the claim to its end on record. */
export class SlotRun {
  readonly slot: Slot;
  readonly ended: Promise<void>;
  /** Beats so far. */
  beats = 0;
  readonly #parts: SlotRunParts;
  readonly #abort = new AbortController();
  #lost = false;

  constructor(slot: Slot, why: string, parts: SlotRunParts) {
    this.slot = slot;
    this.#parts = parts;
    this.ended = this.#run(why);
  }

  /** Has the run finish its batch; the slot is given back unfinished. */
  interrupt(): void {
    this.#abort.abort();
  }

  /** Says that the slot is alive, and ends the run where another process has taken the slot over. */
  async beat(): Promise<void> {
    this.beats += 1;
    if (await this.#parts.slots.beat(this.slot)) return;
    this.#lost = true;
    this.#abort.abort();
  }

  get #due(): string {
    return this.slot.dueAt.toISOString();
  }

  async #run(why: string): Promise<void> {
    const { isFull, unfinishedRun } = this.#parts;
    try {
      const resume = await unfinishedRun(this.slot);
      const full = await isFull(this.slot);
      // Nothing has begun yet: whoever stops a process now wants no run from it.
      if (this.#abort.signal.aborted) {
        await this.#release();
        return;
      }
      const kind = full ? 'a full run' : 'an incremental run';
      const what = resume === null ? kind : `run ${resume} goes on`;
      this.#tell('run_started', 'info', `the slot ${this.#due} (${why}): ${what}`, {
        full,
        resume,
        attempts: this.slot.attempts,
      });
      await this.#conclude(await this.#job(full, resume));
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** A run that cannot go on, because the mapping or a trigger has changed, is no reason to do without. */
  async #job(full: boolean, resume: string | null): Promise<ReconcileSummary> {
    const { job } = this.#parts;
    const signal = this.#abort.signal;
    try {
      return await job({ full, resume, signal });
    } catch (error) {
      if (resume === null || !CANNOT_GO_ON.includes(codeOf(error))) throw error;
      const message = `a new run takes the place of ${resume}: ${messageOf(error)}`;
      this.#tell('run_started', 'warning', message, { full, resume: null });
      return job({ full, resume: null, signal });
    }
  }

  async #conclude(summary: ReconcileSummary): Promise<void> {
    this.#tell(
      'run_finished',
      summary.exitStatus === 0 ? 'info' : 'warning',
      `the run of the slot ${this.#due} ended with status ${String(summary.exitStatus)}: ${countsOf(summary)}`,
      {
        runId: summary.runId,
        exitStatus: summary.exitStatus,
        incomplete: summary.incomplete,
        checked: summary.checked,
        drifted: summary.drifted,
        findings: summary.findings,
        repaired: summary.repaired,
        seconds: summary.seconds,
      },
    );
    if (summary.incomplete === 'interrupted' && this.#abort.signal.aborted) {
      await this.#release();
      return;
    }
    const why = summary.incomplete === null ? '' : ` (incomplete: ${summary.incomplete})`;
    const detail = `exit status ${String(summary.exitStatus)}${why}`;
    await this.#finish({ outcome: 'finished', detail, runId: summary.runId });
  }

  /** A database that went away is no end: whoever reaches it first takes the slot over. */
  async #fail(error: unknown): Promise<void> {
    const message = messageOf(error);
    if (isConnectionFailure(error)) {
      const what = `the run of the slot ${this.#due} was cut off, and goes on when the database is back`;
      this.#tell('run_failed', 'warning', `${what}: ${message}`, {});
      return;
    }
    const code = codeOf(error);
    try {
      if (this.#lost || code === RUN_LOST) {
        this.#tellLoss();
        return;
      }
      if (OTHER_AT_WORK.includes(code)) {
        this.#tell('slot_skipped', 'info', `the slot ${this.#due} is skipped: ${message}`, {});
        await this.#finish({ outcome: 'skipped', detail: message, runId: null });
        return;
      }
      this.#tell('run_failed', 'error', `the run of the slot ${this.#due} failed: ${message}`, {});
      await this.#parts.raiseFailure({ runId: null, message });
      await this.#finish({ outcome: 'failed', detail: message, runId: null });
    } catch (second) {
      this.#tell('error', 'error', `the end of it is not on record: ${messageOf(second)}`, {});
    }
  }

  async #finish(end: SlotEnd): Promise<void> {
    if (await this.#parts.slots.finish(this.slot, end)) return;
    this.#lost = true;
    this.#tellLoss();
  }

  async #release(): Promise<void> {
    if (this.#lost) {
      this.#tellLoss();
      return;
    }
    await this.#parts.slots.release(this.slot);
    const message = `the slot ${this.#due} is given back: the next process goes on with it`;
    this.#tell('slot_released', 'info', message, {});
  }

  #tellLoss(): void {
    const message = `another process has taken the slot ${this.#due} over`;
    this.#tell('slot_lost', 'warning', message, {});
  }

  #tell(
    event: 'run_started' | 'run_finished' | 'run_failed' | 'error' | `slot_${SlotWord}`,
    level: 'info' | 'warning' | 'error',
    message: string,
    details: Readonly<Record<string, string | number | boolean | null>>,
  ): void {
    this.#parts.onEvent({ event, level, message, details: { slot: this.#due, ...details } });
  }
}

type SlotWord = 'skipped' | 'lost' | 'released';

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function countsOf(summary: ReconcileSummary): string {
  const { checked, drifted, findings, repaired } = summary;
  return (
    `checked ${String(checked)}, drifted ${String(drifted)}, ` +
    `findings ${String(findings)}, repaired ${String(repaired)}`
  );
}
