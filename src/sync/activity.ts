import { messageOf, TrueupError } from '../core/errors.js';
import type { Activity, ResolvedMapping } from '../mapping/model.js';
import type { Database } from '../postgres/database.js';
import {
  isConnectionFailure,
  isFaultOfOneUser,
  isRetryable,
  toTrueupError,
} from '../postgres/failures.js';
import * as statements from './activity-statements.js';

/** Events that could not be written in the commit of their entry are written later, each exactly once. */

/** What became of them. */
export interface WrittenEvents {
  readonly healed: number;
  /** Tried and still failing; they are tried again after a while. */
  readonly failed: number;
}

/** Events that are written in one transaction. */
const BATCH = 500;

/** Entries that a backfill looks at in one statement. */
const STRETCH = 10_000;

const SETTINGS = { lock_timeout: '1s' } as const;

/**
 * Takes up every recorded event that is due: writes it unless it is there, and closes it, in one
 * transaction.
 *
 * @param options.everything also those whose next attempt is not due yet
 * @param options.signal stops after the batch under way
 */
export async function healActivity(
  database: Database,
  mapping: ResolvedMapping,
  options: {
    readonly everything?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<WrittenEvents> {
  const total = { healed: 0, failed: 0 };
  const { activity } = mapping;
  if (activity === undefined) return total;
  for (let after = '0'; options.signal?.aborted !== true;) {
    const page = { after, limit: BATCH, everything: options.everything ?? false };
    const due = await database.query<statements.MissedRow>(
      statements.dueEvents(mapping.ledger.table.quoted, page),
    );
    const last = due.at(-1);
    if (last === undefined) break;
    after = last.id;
    const written = await write(database, mapping, activity, due);
    total.healed += written.healed;
    total.failed += written.failed;
  }
  return total;
}

/** Where the database refuses for one event, the list is halved until that one stands alone. */
async function write(
  database: Database,
  mapping: ResolvedMapping,
  activity: Activity,
  due: readonly statements.MissedRow[],
): Promise<WrittenEvents> {
  const ids = due.map(({ id }) => id);
  try {
    await database.transaction(
      async (session) => {
        await session.query(statements.lockEvents(mapping.ledger.table.quoted));
        const entries = due.map(({ entryId }) => entryId);
        await session.query(statements.writeEvents(mapping, activity, entries));
        await session.query(statements.closeEvents(ids));
      },
      { settings: SETTINGS },
    );
    return { healed: due.length, failed: 0 };
  } catch (error) {
    if (isConnectionFailure(error)) throw error;
    if (due.length === 1 || isRetryable(error) || !isFaultOfOneUser(error)) {
      const reason = messageOf(toTrueupError(error));
      await database.query(statements.postponeEvents(ids, reason));
      return { healed: 0, failed: due.length };
    }
    const middle = Math.ceil(due.length / 2);
    const left = await write(database, mapping, activity, due.slice(0, middle));
    const right = await write(database, mapping, activity, due.slice(middle));
    return { healed: left.healed + right.healed, failed: left.failed + right.failed };
  }
}

/** What a backfill found and did, in entries. */
export interface BackfilledActivity extends WrittenEvents {
  /** Had no event, and nobody had recorded that yet. */
  readonly missing: number;
}

/**
 * Writes the events of entries that have none, such as those from before the adoption. It goes through
 * the whole ledger in stretches, records what is missing, and heals it: so it can be stopped at any
 * time, and done again.
 *
 * @throws TrueupError `feature_off` where the mapping has no activity
 */
export async function backfillActivity(
  database: Database,
  mapping: ResolvedMapping,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<BackfilledActivity> {
  const { activity } = mapping;
  if (activity === undefined) {
    throw new TrueupError('feature_off', 'the mapping names no activity table', {
      hint: 'Add a part activity to the mapping.',
    });
  }
  const total = { missing: 0, healed: 0, failed: 0 };
  let after: string | undefined;
  while (options.signal?.aborted !== true) {
    const [row] = await database.transaction(async (session) => {
      await session.query(statements.lockEvents(mapping.ledger.table.quoted));
      return session.query<statements.BackfillRow>(
        statements.recordMissingEvents(mapping, activity, { after, limit: STRETCH }),
      );
    });
    const written = await healActivity(database, mapping, { everything: true, ...options });
    total.missing += Number(row?.missing ?? 0);
    total.healed += written.healed;
    total.failed += written.failed;
    if (row?.last === null || row?.last === undefined) break;
    after = row.last;
  }
  return total;
}
