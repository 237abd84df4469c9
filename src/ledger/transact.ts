import type { PreparedItem } from '../core/posting/request.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Session, Statement } from '../postgres/database.js';
import { isConnectionFailure, isRetryable, sqlStateOf } from '../postgres/failures.js';
import { changesAnything, decideUnderLock, write, type Decided } from './batch.js';
import { findLost } from './lost.js';
import { concludePlan, type ItemOutcome } from './outcomes.js';
import { pause } from './pause.js';
import { hasKey } from './unit.js';

/** How often a batch is tried again after a deadlock, or after somebody else committed its key. */
const ATTEMPTS = 8;

/** For how long a lost connection is looked for, in attempts; the pauses grow to a second. */
const RECONNECTS = 15;

const BEGIN: Statement = { text: 'BEGIN' };
const BE_PATIENT: Statement = { text: "SET LOCAL lock_timeout = '10s'" };
const COMMIT: Statement = { text: 'COMMIT' };
const ROLLBACK: Statement = { text: 'ROLLBACK' };

/**
 * Posts items in one transaction: locks what they need, decides, writes. Two round trips, whatever
 * they are. Deadlocks and keys that somebody else commits meanwhile are tried again; a commit whose
 * answer was lost is looked up, never posted twice.
 *
 * @param patient wait for locks, and try again where one is not let go; else a held lock ends it soon
 * @throws TrueupError `outcome_unknown`, `sync_missing`; what the database refuses, as it came
 */
export async function transact(
  database: Database,
  mapping: ResolvedMapping,
  items: readonly PreparedItem[],
  patient: boolean,
): Promise<ItemOutcome[]> {
  const before = patient ? [BEGIN, BE_PATIENT] : [BEGIN];
  let reconnects = 0;
  for (let attempt = 1; ;) {
    const sent: { decided?: Decided } = {};
    try {
      return await database.session((session) => once(session, mapping, items, { sent, before }));
    } catch (error) {
      if (isConnectionFailure(error)) {
        // The server may have committed before the connection went: never post again unasked.
        if (sent.decided !== undefined) {
          const walletIds = [...sent.decided.state.wallets.keys()];
          const found = await findLost(database, mapping, { ...sent.decided, walletIds });
          if (found !== undefined) return found;
        }
        reconnects += 1;
        if (reconnects > RECONNECTS) throw error;
        await pause(reconnects);
        continue;
      }
      if (!patient && isLocked(error)) throw error;
      const again = isRetryable(error) || (sqlStateOf(error) === '23505' && items.some(hasKey));
      if (!again || attempt >= ATTEMPTS) throw error;
      await pause(attempt);
      attempt += 1;
    }
  }
}

/** Whether a lock was not let go in time. */
export function isLocked(error: unknown): boolean {
  return sqlStateOf(error) === '55P03';
}

async function once(
  session: Session,
  mapping: ResolvedMapping,
  items: readonly PreparedItem[],
  { sent, before }: { readonly sent: { decided?: Decided }; readonly before: readonly Statement[] },
): Promise<ItemOutcome[]> {
  try {
    const decided = await decideUnderLock(session, mapping, items, before);
    const { plan, transactionIds } = decided;
    if (!changesAnything(decided)) {
      await session.query(ROLLBACK);
      return concludePlan(plan, { entryIds: [], transactionIds });
    }
    sent.decided = decided;
    const entryIds = await write(session, mapping, decided, [COMMIT]);
    return concludePlan(plan, { entryIds, transactionIds });
  } catch (error) {
    if (!isConnectionFailure(error)) {
      delete sent.decided;
      await session.query(ROLLBACK); // After a failed COMMIT it does nothing.
    }
    throw error;
  }
}
