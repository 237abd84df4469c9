import type { Database, Queryable } from '../../postgres/database.js';
import type { ReconcileSummary } from '../../reconcile/summary.js';
import * as statements from './alert-statements.js';
import {
  afterFailure,
  afterRun,
  overdue,
  severityOf,
  waiting,
  type OpenFindings,
  type Verdict,
} from './conditions.js';

/** An alert that was raised. */
export type RaisedAlert = statements.RaisedRow;

/** How often to try again where two raise alerts at once. */
const RETRIES = 3;

/**
 * Raises what the end of a run is news of. To be called in the transaction that records the end of the
 * run: then no alert is lost and none is told of a run that has not ended. A second call for the same
 * run raises nothing.
 *
 * @param session a transaction
 * @returns what was raised, to be told and delivered after the commit
 */
export async function raiseAlerts(
  session: Queryable,
  ledger: string,
  summary: ReconcileSummary,
): Promise<readonly RaisedAlert[]> {
  await session.query(statements.lockConditions(ledger));
  const [row] = await session.query<statements.RunFactsRow>(
    statements.runFacts(ledger, summary.runId),
  );
  if (row === undefined) return []; // Whoever asks for some users looks at what the run says.
  const verdict = afterRun(summary, {
    incompleteBefore: row.incompleteBefore,
    wallets: Number(row.wallets),
    findings: await openFindings(session, ledger),
  });
  return raise(session, ledger, summary.runId, verdict);
}

/** Raises that a run did not come to its end. */
export function raiseFailure(
  database: Database,
  ledger: string,
  failure: { readonly runId: string | null; readonly message: string },
): Promise<readonly RaisedAlert[]> {
  return database.transaction(
    async (session) => {
      await session.query(statements.lockConditions(ledger));
      return raise(session, ledger, failure.runId, afterFailure(failure.message));
    },
    { retries: RETRIES },
  );
}

/**
 * Raises what has not happened in time, and what waits for people. Whoever watches a ledger calls it from
 * time to time.
 *
 * @param every seconds from one run to the next; null where nobody runs a schedule here
 * @param cycle seconds within which every wallet is to be verified
 */
export function raiseOverdue(
  database: Database,
  ledger: string,
  { every, cycle }: { readonly every: number | null; readonly cycle: number },
): Promise<readonly RaisedAlert[]> {
  return database.transaction(
    async (session) => {
      await session.query(statements.lockConditions(ledger));
      const [facts] = await session.query<statements.ClockFactsRow>(statements.clockFacts(ledger));
      if (facts === undefined) return [];
      const late = overdue(facts, every, cycle);
      const left = waiting({ findings: await openFindings(session, ledger) });
      return raise(session, ledger, null, {
        open: [...late.open, ...left.open],
        well: [...late.well, ...left.well],
      });
    },
    { retries: RETRIES },
  );
}

async function raise(
  session: Queryable,
  ledger: string,
  runId: string | null,
  { open, well }: Verdict,
): Promise<readonly RaisedAlert[]> {
  const told = open.map((one) => ({ ...one, severity: severityOf(one.kind) }));
  return session.query<RaisedAlert>(statements.raise(ledger, runId, told, well));
}

async function openFindings(
  session: Queryable,
  ledger: string,
): Promise<Record<string, OpenFindings>> {
  const rows = await session.query<statements.OpenFindingsRow>(statements.openFindings(ledger));
  return Object.fromEntries(
    rows.map(({ state, count, wallets, mark }) => [
      state,
      { count: Number(count), wallets: Number(wallets), mark },
    ]),
  );
}
