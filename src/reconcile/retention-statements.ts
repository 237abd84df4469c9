import type { Statement } from '../postgres/database.js';

/** Statements that delete what nobody needs any more. Time is the database's. */

const ENDED = `r.ledger = $1 AND r.finished_at < clock_timestamp() - make_interval(secs => $2)`;

/** Some findings of runs that ended so many seconds ago, but those that wait for people. */
export function dropOldFindings(ledger: string, keep: number, limit: number): Statement {
  return {
    text: `DELETE FROM trueup.findings AS f
 WHERE f.id IN (SELECT o.id FROM trueup.runs AS r JOIN trueup.findings AS o ON o.run_id = r.id
                 WHERE ${ENDED} AND (o.settled_at IS NOT NULL OR o.state NOT IN ('review', 'critical'))
                 LIMIT $3)
RETURNING f.id`,
    values: [ledger, keep, limit],
  };
}

/** The suspects of runs that ended so many seconds ago and that nobody took up again. */
export function dropOldSuspects(ledger: string, keep: number): Statement {
  return {
    text: `DELETE FROM trueup.suspects AS s USING trueup.runs AS r WHERE r.id = s.run_id AND ${ENDED}`,
    values: [ledger, keep],
  };
}
