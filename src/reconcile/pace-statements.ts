import type { Statement } from '../postgres/database.js';

/** Statements that ask how busy the server is. They read statistics only. */

export interface Busyness {
  /** Whether this role may see what others do; if not, the other two mean nothing. */
  readonly visible: boolean;
  /** How far the slowest standby is behind, in seconds. One that went away holds nobody up. */
  readonly lag: number;
  /** Sessions of others that are at work just now. */
  readonly active: number;
}

/** Sessions under this session's own application name are taken for the run's own. */
export const busyness: Statement = {
  text: `SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS visible,
       coalesce((SELECT max(extract(epoch FROM r.replay_lag)) FROM pg_stat_replication AS r), 0)::float8 AS lag,
       (SELECT count(*) FROM pg_stat_activity AS a
         WHERE a.state = 'active' AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
           AND a.application_name <> current_setting('application_name'))::int AS active`,
};

/** The id that the next writing transaction of the whole server gets. Every role may ask for it. */
export const nextTransaction: Statement = {
  text: 'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next',
};
