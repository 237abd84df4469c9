import type { Statement } from '../postgres/database.js';
import { WRITER } from '../postgres/session.js';

/** How Trueup's writing on somebody else's connection passes the guard of the caches. */

/** Says it is Trueup, until the transaction or its savepoint ends, and tells what was said before. */
export const becomeWriter: Statement = {
  // The subquery is evaluated by itself: what was set has to be read before it is set.
  text: `SELECT s.previous, set_config('${WRITER.setting}', '${WRITER.value}', true)
           FROM (SELECT current_setting('${WRITER.setting}', true) AS previous OFFSET 0) AS s`,
};

/** Takes that back. */
export function becomeAgain(previous: string | null): Statement {
  return { text: `SELECT set_config('${WRITER.setting}', $1, true)`, values: [previous ?? ''] };
}
