import { randomUUID } from 'node:crypto';
import { TrueupError } from '../core/errors.js';
import type { Database, Statement } from '../postgres/database.js';
import { isConnectionFailure, sqlStateOf } from '../postgres/failures.js';
import * as statements from './lease-statements.js';

/** What a run is told from any terminal, through its row. */
export type Told = 'run' | 'pause' | 'stop';

/** A run that wants to begin. */
export interface Claim {
  readonly id: string;
  readonly ledger: string;
  /** Writes the row of the run with this token, and returns a row; none where it must not run. */
  readonly statement: (token: string) => Statement;
}

const BEAT_MS = 1_000;

/** Newcomers race for the place of a dead run; who loses looks again, so often. */
const ATTEMPTS = 3;

/**
 * The right of one process to work on a run: a token in its row, kept alive by a session of its own that
 * beats once a second. What it holds is not a lock of the database, so it works through any pooler.
 */
export class Lease {
  readonly token: string;
  readonly #id: string;
  /** A connection of its own, so that a pool that is busy cannot make the run look dead. */
  readonly #session: Database;
  readonly #lost = new AbortController();
  #told: Told = 'run';
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #released = false;

  private constructor(id: string, token: string, session: Database) {
    this.#id = id;
    this.token = token;
    this.#session = session;
  }

  /**
   * Takes the place of a run, also that of one whose process is dead.
   *
   * @throws TrueupError `run_under_way`: somebody else is at work over the whole ledger
   */
  static async take(database: Database, run: Claim): Promise<Lease> {
    const session = database.sibling({ maxConnections: 1 });
    const token = randomUUID();
    try {
      for (let attempt = 1; ; attempt += 1) {
        await session.query(statements.abandonDead(run.ledger));
        if (await takes(session, run.statement(token))) break;
        const [holder] = await session.query<statements.HolderRow>(statements.holder(run.ledger));
        if (holder !== undefined || attempt === ATTEMPTS) throw underWay(holder);
      }
    } catch (error) {
      await session.close();
      throw error;
    }
    const lease = new Lease(run.id, token, session);
    // A run that is taken up hears first what it was told before, such as to pause.
    await lease.#beat();
    return lease;
  }

  /** What the run was told last. */
  get told(): Told {
    return this.#told;
  }

  /** Aborted once another process has the run. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Puts on record why the run waits; null: it does not. */
  async tell(waiting: string | null): Promise<void> {
    await this.#session.query(statements.tellWaiting(this.#id, this.token, waiting));
  }

  /** Stops beating. The row of the run is left to whoever ends it. */
  async release(): Promise<void> {
    this.#released = true;
    clearTimeout(this.#timer);
    await this.#beating;
    await this.#session.close();
  }

  #schedule(): void {
    if (this.#released) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat();
    }, BEAT_MS);
  }

  async #beat(): Promise<void> {
    try {
      const [row] = await this.#session.query<{ control: Told }>(
        statements.beat(this.#id, this.token),
      );
      if (row === undefined) this.#lost.abort();
      else this.#told = row.control;
    } catch (error) {
      // Without a connection nobody is told anything; the work itself meets the same trouble.
      if (!isConnectionFailure(error)) this.#lost.abort(error);
    }
    if (!this.#lost.signal.aborted) this.#schedule();
  }
}

/** Whether the row was written. A newcomer who was faster makes the index refuse it. */
async function takes(session: Database, statement: Statement): Promise<boolean> {
  try {
    return (await session.query(statement)).length > 0;
  } catch (error) {
    if (sqlStateOf(error) === '23505') return false;
    throw error;
  }
}

function underWay(holder: statements.HolderRow | undefined): TrueupError {
  if (holder === undefined) {
    return new TrueupError('run_under_way', 'other runs began at the same time', {
      hint: 'Try again in a moment.',
    });
  }
  const { id, host, process, startedBy, startedAt } = holder;
  return new TrueupError(
    'run_under_way',
    `run ${id} is under way over this ledger: on host ${host ?? 'unknown'}, process ${String(process)}, ` +
      `started by ${startedBy} at ${startedAt}`,
    { hint: `trueup runs show ${id} says how far it is. Nothing was changed.` },
  );
}
