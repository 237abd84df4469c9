/**
 * Every check of doctor, in the order in which it is told, with why it matters. Ids are stable:
 * monitors may name them. docs/doctor.md is compared with this list by a test, in both directions.
 */
export const CHECKS = {
  server_version: 'Trueup is tested on PostgreSQL 15 to 18, and a standby cannot be written.',
  schema:
    'Without its schema Trueup keeps no failures, runs and repairs, and cannot explain drift.',
  migrations: 'A schema that is older, newer or altered may not do what this Trueup relies on.',
  mapping: 'A mapping that does not fit the database stops every command.',
  trigger_present: 'Entries are not followed: every new one makes its caches drift.',
  trigger_enabled: 'A trigger that is switched off does nothing: new entries make caches drift.',
  trigger_mode:
    'The trigger fires in other sessions than it should: a restore counts twice, or the ledger is open.',
  trigger_unchanged: 'A trigger or function that was altered may count wrongly or not at all.',
  append_only:
    'An entry that is changed or deleted leaves its caches wrong, and nothing tells why.',
  partition:
    'A trigger of the whole does not fire for what is written to another table of the tree.',
  replica_setting: 'Sessions with this setting skip the triggers: what they write is not followed.',
  replica_roles:
    'These roles can make their sessions skip the triggers, and nobody else can see it.',
  subscription:
    'Rows that logical replication brings fire no statement trigger: nobody follows them.',
  foreign_trigger: 'A trigger that keeps the same caches by itself counts every entry twice.',
  shared_profile:
    'A profile shows one wallet. With two it drifts with every entry, and reconcile refuses to run.',
  rule: 'A rule rewrites what is written to the table, before any trigger can see it.',
  sync_owner: 'The triggers work with the rights of their owner: without them entries fail.',
  unlogged: 'After a crash the server empties an unlogged table.',
  row_security:
    'Where policies would hide rows, checks and repairs are refused: a part is no ledger.',
  ledger_index: 'Without it every check and every repair reads the whole ledger.',
  ledger_numbers: 'Without it two entries of a wallet can get the same number.',
  ledger_keys: 'Without it the same idempotency key can post twice.',
  invalid_index: 'An invalid index costs writes, serves no read, and may not enforce its key.',
  foreign_key: 'Checked at every statement it slows entries, and can fail them with XX000.',
  autovacuum:
    'Every entry leaves a dead row version; without vacuum the tables only grow and slow.',
  sync_failures: 'Their profiles show a wrong balance until they are healed.',
  sync_gaps: 'What was written while the triggers did not stand was not followed.',
  deferred_marks: 'Marked profiles show an older balance until a worker carries them.',
  activity_failures: 'Their coins moved, and the activity of the application does not show it.',
  holds_overdue: 'Their coins cannot be spent although the time of the hold is over.',
  oldest_transaction:
    'It holds the watermark back: nothing later counts as settled, and dead rows stay.',
  prepared_transaction: 'It keeps its locks and holds the watermark back until somebody ends it.',
  right_to_check: 'Without SELECT no check of the caches can be made.',
  right_to_repair: 'This role can check the caches, and cannot repair them.',
  right_to_install: 'This role cannot install, mend or remove the triggers.',
} as const;

/** The stable id of a check. */
export type CheckId = keyof typeof CHECKS;

export const CHECK_IDS = Object.keys(CHECKS) as readonly CheckId[];

/** Whether a text is the id of a check. */
export function isCheckId(text: string): text is CheckId {
  return Object.hasOwn(CHECKS, text);
}
