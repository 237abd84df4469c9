import { ALIVE_KINDS, IS_DEAD } from '../../reconcile/lease-statements.js';

/**
 * The condition under which a run that says it runs (alias r) does not. Passes of the healer and repairs of
 * single wallets give no signs of life, so of them nobody can tell.
 */
export const IS_GONE = `(r.state = 'running' AND r.kind IN ${ALIVE_KINDS} AND ${IS_DEAD})`;

/** The state of a run (alias r), whatever it says itself. Whoever begins the next run writes it down. */
export const STATE = `CASE WHEN ${IS_GONE} THEN 'abandoned' ELSE r.state END`;
