import { hostname } from 'node:os';
import { messageOf, type TrueupError } from '../../core/errors.js';
import type { Database } from '../../postgres/database.js';
import { isConnectionFailure, toTrueupError } from '../../postgres/failures.js';
import { startRun, type RunRecord } from '../../reconcile/statements.js';
import { VERSION } from '../../version.js';
import * as statements from './on-record-statements.js';
import type { Ending } from './on-record-statements.js';

/** How far apart the signs of life are. A run whose session is gone is dead at once, any other after 30 s. */
const BEAT_MS = 1_000;

/**
 * What a person has ordered, as a run on record: who, where, with what options, and how it ended. It is put
 * there with its first write, so what finds nothing to do leaves nothing behind; and a session of its own
 * says that it lives, so that one whose process was killed is not taken for one under way.
 */
export class OnRecord {
  readonly #database: Database;
  readonly #run: Pick<RunRecord, 'id' | 'kind' | 'options' | 'ledger'>;
  #session: Database | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #trouble: TrueupError | undefined;

  constructor(database: Database, run: Pick<RunRecord, 'id' | 'kind' | 'options' | 'ledger'>) {
    this.#database = database;
    this.#run = run;
  }

  /** Before its first write; nothing where it has begun. */
  async begin(): Promise<void> {
    if (this.#session !== undefined) return;
    const session = this.#database.sibling({ maxConnections: 1 });
    const started = { ...this.#run, host: hostname(), process: process.pid, version: VERSION };
    try {
      await session.transaction(async (inside) => {
        await inside.query(startRun(started));
        await inside.query(statements.beat(this.#run.id));
      });
    } catch (error) {
      await session.close();
      throw error;
    }
    this.#session = session;
    this.#schedule(session);
  }

  /** Nothing where it has not begun. */
  async end(
    summary: { readonly exitStatus: number },
    how: Omit<Ending, 'exitStatus' | 'counts'>,
  ): Promise<void> {
    if (!(await this.#rest())) return;
    const ending = { ...how, exitStatus: summary.exitStatus, counts: summary };
    await this.#database.query(statements.end(this.#run.id, ending));
    if (this.#trouble !== undefined) throw this.#trouble;
  }

  /** Puts on record why it could not go on, as far as anything can be recorded. */
  async fail(reason: unknown): Promise<void> {
    if (!(await this.#rest())) return;
    const ending = {
      state: 'failed',
      exitStatus: 1,
      counts: null,
      error: messageOf(reason),
    } as const;
    try {
      await this.#database.query(statements.end(this.#run.id, ending));
    } catch (error) {
      // Without a connection nothing can be recorded; the reason is told to whoever waits for it.
      if (!isConnectionFailure(error)) throw new AggregateError([reason, error], messageOf(reason));
    }
  }

  #schedule(session: Database): void {
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat(session);
    }, BEAT_MS);
  }

  async #beat(session: Database): Promise<void> {
    try {
      await session.query(statements.beat(this.#run.id));
    } catch (error) {
      // Without a connection nobody is told anything; the work itself meets the same trouble.
      if (!isConnectionFailure(error)) this.#trouble = toTrueupError(error);
    }
    if (this.#session !== undefined && this.#trouble === undefined) this.#schedule(session);
  }

  /** @returns whether there was anything to rest from */
  async #rest(): Promise<boolean> {
    const session = this.#session;
    if (session === undefined) return false;
    this.#session = undefined;
    clearTimeout(this.#timer);
    await this.#beating;
    await session.close();
    return true;
  }
}
