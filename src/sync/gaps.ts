import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import * as statements from './gaps-statements.js';

/** What one look at the sync triggers of a ledger has shown. */
export interface Watch {
  /** `unwatched`: this ledger was never given triggers, so none are missed. */
  readonly state: 'present' | 'missing' | 'disabled' | 'unwatched';
  /** What this look has written down. */
  readonly noticed: 'opened' | 'closed' | null;
  /** When it was, by the server's clock: what to hand to the next look if they were present. */
  readonly at: string;
}

/**
 * Looks whether the sync triggers of a mapping are there and enabled. A gap in trueup.sync_gaps is
 * opened where they are not, and closed once they are back, so that it can be said later which entries
 * nobody followed. Looking often costs one query of the catalog each time; several may look at once.
 *
 * @param lastSeenAt when whoever asks last saw them present ({@link Watch.at} of that look)
 * @throws TrueupError `database_failed` where Trueup's tables are missing, `permission_denied`
 */
export async function noticeGaps(
  session: Queryable,
  mapping: ResolvedMapping,
  lastSeenAt?: string,
): Promise<Watch> {
  const { oid, quoted } = mapping.ledger.table;
  const [row] = await session.query<statements.WatchRow>(statements.watch(quoted, oid));
  if (row?.watched !== true) return { state: 'unwatched', noticed: null, at: row?.now ?? '' };
  const state = stateOf(row.enabled);
  if (state === 'present') {
    if (row.open) await session.query(statements.closeGap(quoted));
    return { state, noticed: row.open ? 'closed' : null, at: row.now };
  }
  const opened = row.open
    ? []
    : await session.query<{ id: string }>(statements.openGap(quoted, state, lastSeenAt));
  return { state, noticed: opened.length > 0 ? 'opened' : null, at: row.now };
}

function stateOf(enabled: string | null): 'present' | 'missing' | 'disabled' {
  if (enabled === null) return 'missing';
  return enabled === 'O' || enabled === 'A' ? 'present' : 'disabled';
}
