import type { Queryable } from '../postgres/database.js';
import { waitingFailures, type WaitingRow } from '../sync/statements.js';
import { INSTALL } from './expected.js';
import {
  error,
  ok,
  orOk,
  unknown,
  warning,
  type Context,
  type Examine,
  type Verdict,
} from './model.js';
import * as statements from './work-statements.js';

/** Checks of what waits to be done, in Trueup's own records. */

/** How long holds that are overdue may wait for the healer, in seconds. */
const HOLD_GRACE_SECONDS = 60;

/** How long a marked profile may wait for its worker, in seconds: it carries within one. */
const MARK_GRACE_SECONDS = 10;

/** More failures, or older ones, than this and nobody seems to heal. */
const RECOVERY = { failures: 1000, seconds: 600 } as const;

/** The command that repairs everything, and in doing so closes what was not watched. */
export const RECONCILE = 'trueup reconcile --all';

/** Why a table of Trueup tells nothing: it is not there (and so nothing is), or it may not be read. */
export async function withoutTable(
  session: Queryable,
  table: string,
): Promise<readonly Verdict[] | undefined> {
  const [place] = await session.query<statements.PlaceRow>(statements.placeOf(table));
  if (place?.tableExists !== true) return [ok(`nothing: there is no table trueup.${table}`)];
  if (place.readable) return undefined;
  return [
    unknown(
      `role ${place.role} may not read trueup.${table}`,
      statements.grantsToRead(table, place.role),
    ),
  ];
}

/** A check of one table of Trueup: made where the table is there and may be read. */
function reading(tables: readonly string[], examine: Examine): Examine {
  return async (context) => {
    for (const table of tables) {
      const without = await withoutTable(context.session, table);
      if (without !== undefined) return without;
    }
    return examine(context);
  };
}

function keyOf({ mapping }: Context): string {
  return mapping.ledger.table.quoted;
}

const syncFailures = reading(['sync_failures'], async (context) => {
  const [row] = await context.session.query<WaitingRow>(waitingFailures(keyOf(context)));
  const oldest = row?.oldest ?? null;
  if (row === undefined || oldest === null) return [ok('no failure waits')];
  const what =
    `${row.waiting} failures wait, the oldest since ${oldest.toISOString()} ` +
    `(SQLSTATE ${row.states.join(', ')})`;
  const age = (Date.now() - oldest.getTime()) / 1000;
  const many = Number(row.waiting) > RECOVERY.failures || age > RECOVERY.seconds;
  return [many ? error(what, 'trueup sync heal') : warning(what, 'trueup sync heal')];
});

const syncGaps = reading(['sync_gaps', 'sync_installations', 'runs'], async (context) => {
  const rows = await context.session.query<statements.GapRow>(statements.gaps(keyOf(context)));
  return orOk(
    rows.map(({ what, noticed, ended }) => {
      const since = `the triggers were ${what} (noticed ${noticed.toISOString()}`;
      return ended === null
        ? error(`${since}), and nobody has seen them since`, INSTALL)
        : warning(
            `${since}, over ${ended.toISOString()}), and no complete repair came after`,
            RECONCILE,
          );
    }),
    'no span without triggers is left to be repaired',
  );
});

const deferredMarks = reading(['profile_marks'], async (context) => {
  const [row] = await context.session.query<statements.WaitingWorkRow>(
    statements.waitingMarks(keyOf(context), MARK_GRACE_SECONDS),
  );
  const oldest = row?.oldest ?? null;
  if (row === undefined || oldest === null) return [ok('no marked profile waits')];
  return [
    warning(
      `${row.waiting} marks wait for a worker, the oldest since ${oldest.toISOString()}`,
      'trueup sync heal',
    ),
  ];
});

const activityFailures = reading(['activity_failures'], async (context) => {
  const [row] = await context.session.query<statements.WaitingWorkRow>(
    statements.waitingEvents(keyOf(context)),
  );
  const oldest = row?.oldest ?? null;
  if (row === undefined || oldest === null) return [ok('no event waits')];
  return [
    warning(
      `${row.waiting} events of entries wait, the oldest since ${oldest.toISOString()}`,
      'trueup sync heal',
    ),
  ];
});

const holdsOverdue = reading(['holds'], async (context) => {
  const [row] = await context.session.query<statements.OverdueRow>(
    statements.overdueHolds(keyOf(context), HOLD_GRACE_SECONDS),
  );
  if (row === undefined || row.oldest === null) return [ok('no hold is overdue')];
  return [
    warning(
      `${row.holds} holds of ${row.coins} coins are overdue, the oldest since ${row.oldest.toISOString()}`,
      'trueup sync heal --watch',
    ),
  ];
});

export const workChecks = {
  sync_failures: syncFailures,
  sync_gaps: syncGaps,
  deferred_marks: deferredMarks,
  activity_failures: activityFailures,
  holds_overdue: holdsOverdue,
} as const;
