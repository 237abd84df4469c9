import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { messageOf, TrueupError } from '../core/errors.js';
import type { Tally } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { isConnectionFailure } from '../postgres/failures.js';
import { BEGINNING, type Checkpoint } from './checkpoint.js';
import { changesSince, fingerprintText, type Fingerprint } from './fingerprint.js';
import { Lease } from './lease.js';
import { abandonDead } from './lease-statements.js';
import { patiently } from './patience.js';
import * as statements from './record-statements.js';
import type { LeftRun, NewRun, Seen, Step } from './record-statements.js';

/** What a run counted, as its records have it. */
export type Counts = Omit<Tally, 'checked'>;

/** What a run begins with. */
export interface Beginning {
  readonly options: object;
  readonly scope: NewRun['scope'];
  readonly unattended: boolean;
  readonly version: string;
  readonly fingerprint: Fingerprint;
}

/** The row of a run in trueup.runs, held by this process. */
export class RunRecord {
  readonly id: string;
  /** How often the run was resumed. */
  readonly resumed: number;
  /** Where the run goes on. */
  readonly from: Checkpoint;
  readonly lease: Lease;
  readonly #database: Database;
  readonly #ledger: string;
  /** The checkpoint that is on record. */
  #saved: Checkpoint | null;

  private constructor(
    database: Database,
    lease: Lease,
    run: Pick<LeftRun, 'id' | 'resumed' | 'checkpoint'> & { readonly ledger: string },
  ) {
    this.#database = database;
    this.lease = lease;
    this.id = run.id;
    this.resumed = run.resumed;
    this.from = { ...BEGINNING, ...run.checkpoint };
    this.#saved = run.checkpoint;
    this.#ledger = run.ledger;
  }

  /** Begins a run. @throws TrueupError `run_under_way`, `database_read_only` */
  static async begin(
    database: Database,
    mapping: ResolvedMapping,
    beginning: Beginning,
  ): Promise<RunRecord> {
    const ledger = mapping.ledger.table.quoted;
    const id = randomUUID();
    const { fingerprint, ...facts } = beginning;
    const run: NewRun = {
      ...facts,
      id,
      ledger,
      host: hostname(),
      process: process.pid,
      fingerprint: fingerprintText(fingerprint),
    };
    const lease = await Lease.take(database, {
      id,
      ledger,
      statement: (token) => statements.beginRun(run, token),
    });
    return new RunRecord(database, lease, { id, ledger, resumed: 0, checkpoint: null });
  }

  /**
   * Goes on with a run that was found by {@link findResumable}.
   *
   * @throws TrueupError `run_changed`, `run_under_way`
   */
  static async resume(
    database: Database,
    mapping: ResolvedMapping,
    left: LeftRun,
    beginning: Beginning,
  ): Promise<RunRecord> {
    const { id } = left;
    const changed = changesSince(left.fingerprint, beginning.fingerprint);
    if (changed.length > 0) {
      throw new TrueupError(
        'run_changed',
        `run ${id} cannot go on: ${changed.join(', ')} differ from what it began with`,
        { hint: 'Start a new run. Nothing was changed.' },
      );
    }
    const ledger = mapping.ledger.table.quoted;
    const { options, unattended } = beginning;
    const run = { id, options, unattended, host: hostname(), process: process.pid };
    const lease = await Lease.take(database, {
      id,
      ledger,
      statement: (token) => statements.resumeRun(run, token),
    });
    const { checkpoint, resumed } = left;
    return new RunRecord(database, lease, { id, ledger, checkpoint, resumed: resumed + 1 });
  }

  /** @throws TrueupError `run_lost`: somebody else has the run */
  checkLease(): void {
    const { lost } = this.lease;
    if (!lost.aborted) return;
    if (lost.reason instanceof TrueupError) throw lost.reason;
    throw this.#lost();
  }

  /**
   * Saves a checkpoint with what was found and not repaired since the last one.
   *
   * @throws TrueupError `run_lost`
   */
  async save(step: Omit<Step, 'before'>): Promise<void> {
    const run = { id: this.id, token: this.lease.token, ledger: this.#ledger };
    const before = this.#saved;
    await patiently(async () => {
      const saved = await this.#database.query(statements.saveCheckpoint(run, { ...step, before }));
      if (saved.length > 0) return;
      const known = await this.#database.query(statements.isSaved(run, step.checkpoint));
      if (known.length === 0) throw this.#lost();
    });
    this.#saved = step.checkpoint;
  }

  /** What the run has found and done until now, and whether a cache may be wrong still. */
  async counts(): Promise<{ readonly counts: Counts; readonly leftWrong: boolean }> {
    const [row] = await this.#database.query<statements.CountsRow>(statements.countsOf(this.id));
    const { leftWrong = true, ...texts } = row ?? {};
    const numbers = Object.entries(texts).map(([name, text]) => [name, Number(text)]);
    return { counts: Object.fromEntries(numbers) as unknown as Counts, leftWrong };
  }

  /** Closes what earlier runs had left open. */
  async settle(seen: Seen, negatives: boolean): Promise<void> {
    await this.#database.query(statements.settleFindings(this.id, seen, negatives));
  }

  /**
   * Ends it.
   *
   * @param together what is committed with the end
   * @throws TrueupError `run_lost`
   */
  async end(
    ending: statements.Ending,
    together: (session: Queryable) => Promise<void>,
  ): Promise<void> {
    const ended = statements.endRun(this.id, this.lease.token, ending);
    await patiently(() =>
      this.#database.transaction(
        async (session) => {
          if ((await session.query(ended)).length === 0) throw this.#lost();
          await together(session);
        },
        { retries: 3 },
      ),
    );
  }

  /** Records why the run failed. Where not even that is possible, it will be found dead. */
  async fail(reason: unknown): Promise<void> {
    const ending = { state: 'failed', exitStatus: 1, counts: null } as const;
    try {
      const error = messageOf(reason);
      await this.#database.query(
        statements.endRun(this.id, this.lease.token, { ...ending, error }),
      );
    } catch (error) {
      if (!isConnectionFailure(error)) throw new AggregateError([reason, error], messageOf(reason));
    }
  }

  #lost(): TrueupError {
    return new TrueupError('run_lost', `run ${this.id} belongs to another process now`, {
      hint: 'What was repaired until now is on record. Nothing more was changed.',
    });
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Finds the run that is to go on.
 *
 * @param wanted its id; true: the last one of this ledger
 * @throws TrueupError `run_not_found`, `run_not_resumable`
 */
export async function findResumable(
  database: Database,
  mapping: ResolvedMapping,
  wanted: string | true,
): Promise<LeftRun> {
  const ledger = mapping.ledger.table.quoted;
  const id = wanted === true ? undefined : wanted;
  await database.query(abandonDead(ledger));
  const [left] =
    id === undefined || UUID.test(id)
      ? await database.query<LeftRun>(statements.findRun(ledger, id))
      : [];
  if (left === undefined) {
    const which = id === undefined ? 'there is no run' : `there is no run ${id}`;
    throw new TrueupError('run_not_found', `${which} of ${ledger}`, {
      hint: 'Give the id that the run has printed.',
    });
  }
  if (left.state === 'finished' || left.state === 'running') {
    const how = left.state === 'finished' ? 'has finished' : 'is under way';
    throw new TrueupError(
      'run_not_resumable',
      `run ${left.id} ${how}: there is nothing to resume`,
      {
        hint: `trueup runs show ${left.id} says what it did.`,
      },
    );
  }
  return left;
}
