import type { Field } from './comparison.js';
import type { Finding } from './drift.js';
import type { Cause, Evidence } from './evidence.js';

/** Findings in words for people. Text out. */

/** Fields as people call them. */
export const FIELD_NAMES: Readonly<Record<Field, string>> = {
  balance: 'balance',
  lifetimeEarnings: 'lifetime earnings',
  pendingBalance: 'pending balance',
  balanceAfter: 'balance after',
};

/** A cause without its evidence: `entries were missed`. */
export function causeWords(cause: Cause): string {
  return phrase(cause, {});
}

/** What to do about findings that nothing on record explains. */
export const UNKNOWN_ADVICE =
  'Nothing on record explains it: run trueup doctor, which finds what passes the sync by, and ' +
  'trueup sync install --guard record, which writes down who changes a cache from then on.';

/**
 * A cause and the most telling piece of its evidence.
 * `direct write by django (gunicorn), 2026-01-31 12:00:05`, `cause unknown`.
 */
export function causePhrase({ cause, evidence }: Pick<Finding, 'cause' | 'evidence'>): string {
  const others = (evidence.also ?? []).map((other) => other.replaceAll('_', ' '));
  const rest = evidence.unexplained;
  const parts = [
    phrase(cause, evidence),
    ...(others.length === 0 ? [] : [`and ${others.join(', ')}`]),
    ...(rest === undefined || cause === 'unknown' || cause === 'before_adoption'
      ? []
      : [`${rest} unexplained`]),
  ];
  return parts.join('; ');
}

function phrase(cause: Finding['cause'], evidence: Evidence): string {
  switch (cause) {
    case 'wallet_missing':
      return 'there is no such wallet';
    case 'no_history':
      return 'no history';
    case 'profile_missing':
      return 'there is no such profile';
    case 'ledger_changed':
      return ledgerChanged(evidence);
    case 'sync_failed':
      return syncFailed(evidence);
    case 'triggers_absent':
      return triggersAbsent(evidence);
    case 'entry_applied_twice':
      return entries(evidence, 'was applied twice', 'were applied twice');
    case 'entry_missed':
      return entries(evidence, 'was missed', 'were missed');
    case 'direct_write':
      return directWrite(evidence);
    case 'hold_leaked':
      return `hold leaked${evidence.holds === undefined ? '' : `: ${evidence.holds.open} open`}`;
    case 'before_adoption':
      return `before adoption${evidence.installedAt === undefined ? '' : ` on ${day(evidence.installedAt)}`}`;
    case 'unknown':
      return 'cause unknown';
  }
}

function ledgerChanged({ break: broken }: Evidence): string {
  return broken === undefined
    ? 'the ledger was changed'
    : `the ledger was changed at or before entry ${broken.entryId}`;
}

function syncFailed({ failures = [] }: Evidence): string {
  const [failure] = failures;
  return failure === undefined
    ? 'sync failed'
    : `sync failed ${moment(failure.failedAt)}: ${failure.message} [${failure.sqlState}]`;
}

function triggersAbsent({ gap }: Evidence): string {
  if (gap === undefined) return 'triggers were absent';
  const since = gap.lastSeenAt === null ? '' : ` from ${moment(gap.lastSeenAt)}`;
  const until = gap.endedAt === null ? ' until now' : ` until ${moment(gap.endedAt)}`;
  return `triggers were ${gap.what}${since}${until}`;
}

/** Entries that are told by name; more are only counted. */
const NAMED = 4;

function entries({ entries: named = [] }: Evidence, one: string, several: string): string {
  if (named.length === 0) return `entries ${several}`;
  const ids = named.map(({ id }) => id).reverse();
  if (ids.length === 1) return `entry ${ids[0] ?? ''} ${one}`;
  if (ids.length > NAMED) return `entries ${ids[0] ?? ''} to ${ids.at(-1) ?? ''} ${several}`;
  return `entries ${ids.join(', ')} ${several}`;
}

function directWrite({ writes }: Evidence): string {
  const [last] = writes?.last ?? [];
  if (writes === undefined || last === undefined) return 'direct write';
  const program = last.applicationName === '' ? '' : ` (${last.applicationName})`;
  const more = writes.count === '1' ? '' : `, the last of ${writes.count}`;
  const values = `${last.oldValue ?? 'null'} -> ${last.newValue ?? 'null'}`;
  return `direct write by ${last.role}${program}, ${moment(last.writtenAt)}, ${values}${more}`;
}

/** `2026-01-31 12:00:05`, in UTC. */
export function moment(instant: string): string {
  return instant.slice(0, 19).replace('T', ' ');
}

function day(instant: string): string {
  return instant.slice(0, 10);
}
