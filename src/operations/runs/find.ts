import { TrueupError } from '../../core/errors.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable, Statement } from '../../postgres/database.js';
import * as statements from './run-statements.js';
import type { RunRow } from './run-statements.js';

/** As much of an id as a person copies. */
const PREFIX = /^[0-9a-f-]{4,36}$/i;

/**
 * Finds one run of a ledger.
 *
 * @param which its id, the first characters of it (four at least), or `last`
 * @param last which one is `last`; left out: the last one but those of the healer and of single wallets
 * @throws TrueupError `run_not_found`, `invalid_argument`: several runs begin so
 */
export async function findRun(
  session: Queryable,
  mapping: ResolvedMapping,
  which: string,
  last?: (ledger: string) => Statement,
): Promise<RunRow> {
  const ledger = mapping.ledger.table.quoted;
  const [run, another] = await candidates(session, ledger, which, last);
  if (another !== undefined) {
    throw new TrueupError('invalid_argument', `the ids of several runs begin with ${which}`, {
      hint: 'Give more of the id. Nothing was changed.',
    });
  }
  if (run === undefined) {
    const what = which === 'last' ? 'there is no run' : `there is no run ${which}`;
    throw new TrueupError('run_not_found', `${what} of ${ledger}`, {
      hint: 'trueup runs lists them. Nothing was changed.',
    });
  }
  return run;
}

async function candidates(
  session: Queryable,
  ledger: string,
  which: string,
  last: (ledger: string) => Statement = (of) => statements.lastRuns(of, 1, false),
): Promise<readonly RunRow[]> {
  if (which === 'last') return session.query<RunRow>(last(ledger));
  if (!PREFIX.test(which)) return [];
  return session.query<RunRow>(statements.runsLike(ledger, which.toLowerCase()));
}
