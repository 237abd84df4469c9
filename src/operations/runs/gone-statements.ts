/** Seconds without a heartbeat after which a run counts as dead. */
const DEAD_AFTER_SECONDS = 30;

/**
 * The condition under which a run that says it runs (alias r) does not: its session is gone, or has not
 * beaten for a while. Runs of other kinds than reconcile have no heartbeat, so nobody can tell.
 */
export const IS_GONE = `(r.state = 'running' AND r.kind = 'reconcile' AND (
           coalesce(r.heartbeat_at, r.started_at) < clock_timestamp() - make_interval(secs => ${String(DEAD_AFTER_SECONDS)})
           OR r.backend IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = r.backend)))`;

/** The state of a run (alias r), whatever it says itself. Whoever begins the next run writes it down. */
export const STATE = `CASE WHEN ${IS_GONE} THEN 'abandoned' ELSE r.state END`;
