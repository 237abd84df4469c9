import { createHash } from 'node:crypto';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Queryable } from '../postgres/database.js';
import { readTriggers } from '../sync/triggers.js';

/** What has to be the same for one process to go on with what another has begun, as hashes. */
export interface Fingerprint {
  readonly mapping: string;
  readonly triggers: string;
  /** The wallets that were chosen. */
  readonly selection: string;
}

/**
 * Reads what a run relies on: the mapping with its types, and the triggers of Trueup with their functions.
 *
 * @param selection the wallets that were chosen, or which run it is that chooses them
 */
export async function fingerprintOf(
  session: Queryable,
  mapping: ResolvedMapping,
  selection: readonly string[] | 'all' | 'incremental',
): Promise<Fingerprint> {
  const triggers = await readTriggers(session, mapping);
  const { ledger, wallet, profile, activity, reasons, unearned } = mapping;
  return {
    mapping: hash({ ledger, wallet, profile, activity, reasons, unearned }),
    triggers: hash(
      triggers
        .map(({ table, name, enabled, functionName, body, definition }) =>
          [table, name, enabled, functionName, body, definition].join('\n'),
        )
        .sort(),
    ),
    selection: hash(selection),
  };
}

/** As it is kept on record. */
export function fingerprintText({ mapping, triggers, selection }: Fingerprint): string {
  return `mapping ${mapping} triggers ${triggers} selection ${selection}`;
}

/** What has changed since, in words; an empty list where nothing has. */
export function changesSince(recorded: string | null, now: Fingerprint): string[] {
  const parts = new Map(
    [...(recorded ?? '').matchAll(/(\w+) ([0-9a-f]+)/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
  return (['selection', 'mapping', 'triggers'] as const).filter(
    (part) => parts.get(part) !== now[part],
  );
}

/** The same whatever the order of the fields: of a mapping it is of no meaning. */
function hash(value: unknown): string {
  const text = JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
