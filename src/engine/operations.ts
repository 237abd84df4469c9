import { metricsText } from '../operations/status/metrics.js';
import type { Status, StatusOptions } from '../operations/status/model.js';
import { readStatus } from '../operations/status/read.js';
import { Care } from './care.js';

/** What keeps an eye on runs: the health of a ledger, what runs found, and what people do about it. */
export abstract class Operations<
  Events extends Record<keyof Events, unknown[]>,
> extends Care<Events> {
  /**
   * Tells how the ledger is: the last run and the last complete check, what is verified, what is open or
   * waits, what is under way, and an exit status for monitors. It reads Trueup's records alone, so it
   * costs next to nothing. Ages are in seconds, by the clock of the database.
   *
   * @throws TrueupError also `invalid_argument`, `permission_denied` (the hint is the GRANT),
   *   `schema_missing`
   */
  status(options: StatusOptions = {}): Promise<Status> {
    return this.ask(({ database, mapping }) => readStatus(database, mapping, options));
  }

  /**
   * The same as metrics in the text format of Prometheus, for a scrape.
   *
   * @throws TrueupError as {@link status}
   */
  async metrics(options: StatusOptions = {}): Promise<string> {
    return metricsText(await this.status(options));
  }
}
