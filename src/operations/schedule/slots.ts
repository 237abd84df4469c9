import type { Queryable } from '../../postgres/database.js';
import type { Schedule } from './cron.js';
import * as statements from './slot-statements.js';
import type { Holder, Job, SlotEnd, SlotRow } from './slot-statements.js';

/** A slot that this process has to run. */
export interface Slot {
  readonly dueAt: Date;
  /** The run that was under way when somebody else gave the slot up; null where there was none. */
  readonly runId: string | null;
  /** How often it was begun, this time included. */
  readonly attempts: number;
}

/** What a look at the slots came to. */
export type Look =
  | { readonly kind: 'nothing' }
  /** It is due, and it is ours. */
  | { readonly kind: 'claimed'; readonly slot: Slot }
  /** It was somebody's who is gone. */
  | { readonly kind: 'taken_over'; readonly slot: Slot }
  /** It is on record that nobody runs it, and why. */
  | { readonly kind: 'skipped'; readonly slot: Slot; readonly reason: string }
  /** It was begun too often, and is on record as failed. */
  | { readonly kind: 'given_up'; readonly slot: Slot; readonly reason: string };

/** The slots of one job on one ledger, as one of several schedulers sees them. */
export class Slots {
  readonly #database: Queryable;
  readonly #job: Job;
  readonly #schedule: Schedule;
  readonly #holder: Holder;
  /** The database's time when this scheduler first looked: what was due before, it cannot have seen. */
  #since: Date | undefined;

  constructor(database: Queryable, job: Job, schedule: Schedule, holder: Holder) {
    this.#database = database;
    this.#job = job;
    this.#schedule = schedule;
    this.#holder = holder;
  }

  /** What time it is: that of the database, which all processes share. */
  async now(): Promise<Date> {
    const [row] = await this.#database.query<{ now: Date }>(statements.databaseClock);
    if (row === undefined) throw new Error('the database told no time');
    return row.now;
  }

  /**
   * Takes the latest slot that is due, unless it is taken; or one whose holder is gone.
   *
   * @param busy why this process cannot run anything now: then a new slot is recorded as skipped
   */
  async look(now: Date, busy: string | null): Promise<Look> {
    const due = this.#schedule.latestDue(now);
    if (due === null) return { kind: 'nothing' };
    this.#since ??= now;
    const wasMissed = due.getTime() <= this.#since.getTime();
    const [claimed] = await this.#database.query<SlotRow>(
      statements.claimSlot(this.#job, due, {
        holder: this.#holder,
        schedule: this.#schedule.name,
        wasMissed,
        busy,
      }),
    );
    if (claimed !== undefined) {
      // Not before the claim: only then is it certain that a later slot has overtaken the others.
      if (busy === null) await this.#closeOvertaken(due);
      if (claimed.outcome === null) return { kind: 'claimed', slot: claimed };
      return { kind: 'skipped', slot: claimed, reason: claimed.detail ?? '' };
    }
    return busy === null ? this.#takeOver(due) : { kind: 'nothing' };
  }

  async #closeOvertaken(due: Date): Promise<void> {
    const { token } = this.#holder;
    await this.#database.query(statements.closeOvertaken(this.#job, due, token));
  }

  async #takeOver(due: Date): Promise<Look> {
    const [slot] = await this.#database.query<SlotRow>(
      statements.takeOverSlot(this.#job, due, this.#holder),
    );
    if (slot === undefined) return { kind: 'nothing' };
    if (slot.runId !== null) {
      const [run] = await this.#database.query<statements.EndedRun>(
        statements.endedRun(slot.runId),
      );
      if (run !== undefined) {
        // Its process died between the end of the run and the end of the slot.
        const detail = `exit status ${String(run.exitStatus)}`;
        await this.finish(slot, { outcome: 'finished', detail, runId: slot.runId });
        return { kind: 'nothing' };
      }
    }
    if (slot.attempts <= statements.MOST_ATTEMPTS) return { kind: 'taken_over', slot };
    const reason = `it was begun ${String(slot.attempts - 1)} times, and never ended`;
    await this.finish(slot, { outcome: 'failed', detail: reason, runId: null });
    return { kind: 'given_up', slot, reason };
  }

  /** Says that its holder is alive. @returns false where somebody else has taken it over */
  async beat(slot: Slot): Promise<boolean> {
    const beat = statements.beatSlot(this.#job, slot.dueAt, this.#holder);
    return (await this.#database.query(beat)).length > 0;
  }

  /** @returns false where somebody else has taken it over */
  async finish(slot: Slot, end: SlotEnd): Promise<boolean> {
    const { token } = this.#holder;
    const finish = statements.finishSlot(this.#job, slot.dueAt, token, end);
    return (await this.#database.query(finish)).length > 0;
  }

  /** Gives it back unfinished: whoever looks next takes it over. */
  async release(slot: Slot): Promise<void> {
    const { token } = this.#holder;
    await this.#database.query(statements.releaseSlot(this.#job, slot.dueAt, token));
  }
}
