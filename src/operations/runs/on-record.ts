import { hostname } from 'node:os';
import { messageOf } from '../../core/errors.js';
import type { Database } from '../../postgres/database.js';
import { isConnectionFailure } from '../../postgres/failures.js';
import { failRun, finishRun, startRun, type RunRecord } from '../../reconcile/statements.js';
import { VERSION } from '../../version.js';

/**
 * What a person has ordered, as a run on record: who, where, with what options, and how it ended. It is put
 * there with its first write, so what finds nothing to do leaves nothing behind.
 */
export class OnRecord {
  readonly #database: Database;
  readonly #run: Pick<RunRecord, 'id' | 'kind' | 'options' | 'ledger'>;
  #begun = false;

  constructor(database: Database, run: Pick<RunRecord, 'id' | 'kind' | 'options' | 'ledger'>) {
    this.#database = database;
    this.#run = run;
  }

  /** Before its first write; nothing where it has begun. */
  async begin(): Promise<void> {
    if (this.#begun) return;
    await this.#database.query(startRun({ ...this.#run, ...placeOf(), version: VERSION }));
    this.#begun = true;
  }

  async end(summary: { readonly exitStatus: number }): Promise<void> {
    if (!this.#begun) return;
    await this.#database.query(finishRun(this.#run.id, summary.exitStatus, summary));
  }

  /** Puts on record why it could not go on. */
  async fail(reason: unknown): Promise<void> {
    if (this.#begun) await recordFailure(this.#database, this.#run.id, reason);
  }
}

/** Where this process runs. */
function placeOf(): { readonly host: string; readonly process: number } {
  return { host: hostname(), process: process.pid };
}

/** Puts on record why a run failed, as far as anything can be recorded. */
async function recordFailure(database: Database, id: string, reason: unknown): Promise<void> {
  try {
    await database.query(failRun(id, messageOf(reason)));
  } catch (error) {
    // Without a connection nothing can be recorded; the reason is told to whoever waits for it.
    if (!isConnectionFailure(error)) throw new AggregateError([reason, error], messageOf(reason));
  }
}
