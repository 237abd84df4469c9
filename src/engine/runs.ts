import { read, readText } from '../core/arguments.js';
import {
  listRuns,
  showRun,
  steerRun,
  type Run,
  type RunDetails,
  type RunsRequest,
  type Steering,
} from '../operations/runs/runs.js';
import { undoRun, type UndoRequest, type UndoSummary } from '../operations/runs/undo.js';
import { Care } from './care.js';
import { RUNS, STEER, UNDO } from './runs-options.js';

/** What keeps an eye on runs: what they found and did, and what people do about it. */
export abstract class Runs<Events extends Record<keyof Events, unknown[]>> extends Care<Events> {
  /**
   * The last runs of this ledger, the newest first. Reads only.
   *
   * @throws TrueupError also `schema_missing`
   */
  runs(request: RunsRequest = {}): Promise<readonly Run[]> {
    return this.ask(({ database, mapping }) => listRuns(database, mapping, read(RUNS, request)));
  }

  /**
   * One run, with what it found and did. Reads only.
   *
   * @param run its id, the first characters of it (four at least), or `last`
   * @throws TrueupError also `run_not_found`, `invalid_argument`
   */
  run(run: string): Promise<RunDetails> {
    return this.ask(async ({ database, mapping }) =>
      showRun(database, mapping, readText(run, 'run')),
    );
  }

  /**
   * Tells a run under way, in whatever process on whatever host, to wait, to go on, or to end after its
   * batch. It hears of it within a second.
   *
   * @throws TrueupError also `run_not_found`, `run_not_running`, `invalid_argument`
   */
  steer(request: { readonly run: string; readonly action: Steering }): Promise<Run> {
    return this.change(async ({ database, mapping }) =>
      steerRun(database, mapping, read(STEER, request)),
    );
  }

  /**
   * Gives caches back what a run had replaced. A wallet in which anything holds something else by now is
   * left, and told. The ledger disagrees with the result: the next reconcile will find it.
   *
   * @throws TrueupError also `run_not_found`, `invalid_argument`
   */
  async undo(request: UndoRequest): Promise<UndoSummary> {
    const asked = read(UNDO, request);
    const looking = asked.dryRun === true;
    const work = ({
      database,
      mapping,
    }: Parameters<Parameters<typeof this.ask>[0]>[0]): Promise<UndoSummary> =>
      undoRun(database, mapping, asked);
    return looking ? this.ask(work) : this.change(work);
  }
}
