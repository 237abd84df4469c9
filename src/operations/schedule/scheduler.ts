import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Database } from '../../postgres/database.js';
import type { DatabaseWatch } from '../database-watch.js';
import { Loop } from '../loop.js';
import type { Schedule } from './cron.js';
import { SlotRun, type SlotRunParts } from './slot-run.js';
import { lastFullRun, unfinishedRun } from './slot-statements.js';
import { Slots, type Look, type Slot } from './slots.js';

/** The longest sleep, in milliseconds: so late at most it learns that the database's clock was set. */
const LONGEST_SLEEP_MS = 30_000;

/** While a run is under way its slot is kept alive this often, in milliseconds. */
const BEAT_EVERY_MS = 5_000;

/** The first beat notes which run it is, so it comes soon. */
const FIRST_BEAT_MS = 500;

/** A timer may end a little early, and then the slot is not due yet. */
const SHORTEST_SLEEP_MS = 10;

/** A slot that is begun later than this was missed, in milliseconds. */
const ON_TIME_MS = 60_000;

/** The job that every scheduler of a ledger shares, whatever its schedule: one of them runs at a time. */
const JOB = 'reconcile';

/** How a scheduler works. */
export interface SchedulerParts extends Omit<SlotRunParts, 'slots' | 'isFull' | 'unfinishedRun'> {
  readonly database: Database;
  /** Schema-qualified and quoted. */
  readonly ledger: string;
  readonly schedule: Schedule;
  /** A run over every wallet at least so often, in milliseconds. */
  readonly fullEveryMs: number;
  readonly watch: DatabaseWatch;
}

/**
 * Runs a job at the times of a schedule. Several processes may do that: the database says what time it
 * is, and who takes a slot.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #slots: Slots;
  readonly #loop: Loop;
  readonly #others = new Set<Promise<void>>();
  #running: SlotRun | undefined;
  #stopping = false;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    const holder = { token: randomUUID(), host: hostname(), process: process.pid };
    const job = { ledger: parts.ledger, job: JOB };
    this.#slots = new Slots(parts.database, job, parts.schedule, holder);
    this.#loop = new Loop(
      () => this.#turn(),
      (error) => {
        parts.watch.failed(error);
      },
    );
  }

  /** Ends it: a run under way finishes its batch, and its slot is given back for the next process. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#running?.interrupt();
    await this.#loop.stop();
    await this.#running?.ended;
    await Promise.all(this.#others);
  }

  /** @returns milliseconds until the next turn */
  async #turn(): Promise<number> {
    const now = await this.#slots.now();
    this.#parts.watch.answered();
    const running = this.#running;
    await running?.beat();
    this.#handle(await this.#slots.look(now, this.#busy()), now);
    const next = this.#parts.schedule.nextDue(now);
    const wait = next === null ? LONGEST_SLEEP_MS : next.getTime() - now.getTime();
    return Math.max(SHORTEST_SLEEP_MS, Math.min(wait, this.#longestSleep()));
  }

  #longestSleep(): number {
    if (this.#running === undefined) return LONGEST_SLEEP_MS;
    return this.#running.beats === 0 ? FIRST_BEAT_MS : BEAT_EVERY_MS;
  }

  /** Why this process can take no slot now; null where it can. */
  #busy(): string | null {
    if (this.#running === undefined) return null;
    const due = this.#running.slot.dueAt.toISOString();
    return `the run of the slot ${due} is still under way in process ${String(process.pid)}`;
  }

  #handle(look: Look, now: Date): void {
    if (look.kind === 'nothing') return;
    if (look.kind === 'claimed' || look.kind === 'taken_over') {
      const isLate = now.getTime() - look.slot.dueAt.getTime() > ON_TIME_MS;
      const claimed = isLate ? 'missed, and made up' : 'due';
      this.#begin(look.slot, look.kind === 'taken_over' ? 'taken over' : claimed);
      return;
    }
    const { onEvent, raiseFailure } = this.#parts;
    const { kind, slot, reason } = look;
    const due = slot.dueAt.toISOString();
    const details = { slot: due, attempts: slot.attempts };
    if (kind === 'skipped') {
      const message = `the slot ${due} is skipped: ${reason}`;
      onEvent({ event: 'slot_skipped', level: 'info', message, details });
      return;
    }
    const message = `the slot ${due} is given up: ${reason}`;
    onEvent({ event: 'slot_given_up', level: 'error', message, details });
    this.#aside(raiseFailure({ runId: slot.runId, message }));
  }

  #begin(slot: Slot, why: string): void {
    const run = new SlotRun(slot, why, {
      ...this.#parts,
      slots: this.#slots,
      isFull: (due) => this.#isFull(due),
      unfinishedRun: (due) => this.#unfinishedRun(due),
    });
    this.#running = run;
    if (this.#stopping) run.interrupt();
    this.#aside(
      run.ended.then(() => {
        this.#running = undefined;
        this.#loop.ring();
      }),
    );
  }

  /** It has to be full where the last full run would be too old when the next slot is due. */
  async #isFull(slot: Slot): Promise<boolean> {
    const { database, ledger, schedule, fullEveryMs } = this.#parts;
    const [row] = await database.query<{ startedAt: Date | null }>(lastFullRun(ledger));
    const last = row?.startedAt ?? null;
    const next = schedule.nextDue(slot.dueAt);
    if (last === null || next === null) return true;
    return next.getTime() - last.getTime() > fullEveryMs;
  }

  /** That of whoever had the slot before, or one that the time of earlier slots was too short for. */
  async #unfinishedRun(slot: Slot): Promise<string | null> {
    if (slot.runId !== null) return slot.runId;
    const { database, ledger, fullEveryMs } = this.#parts;
    const [row] = await database.query<{ id: string }>(unfinishedRun(ledger, fullEveryMs / 1000));
    return row?.id ?? null;
  }

  /** Work that nobody waits for, but whoever stops the scheduler. */
  #aside(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) => {
        this.#parts.watch.failed(error);
      })
      .finally(() => {
        this.#others.delete(settled);
      });
    this.#others.add(settled);
  }
}
