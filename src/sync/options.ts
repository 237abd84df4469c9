import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { keepsOwnTables } from '../mapping/own.js';

/** What can happen when somebody else than Trueup writes a cache. */
export const GUARDS = ['keep', 'record', 'refuse', 'off'] as const;

/**
 * `keep`: the statement succeeds, the caches stay as the ledger decides, and the attempt is recorded.
 * `record`: the write is let through, and recorded. `refuse`: the statement fails (`TU007`).
 * `off`: nobody looks.
 */
export type Guard = (typeof GUARDS)[number];

/**
 * How to install. It is declarative: what is not asked for is not there afterwards, also where an
 * earlier installation had asked for it.
 */
export interface InstallOptions {
  /** Default: `keep` for adopted tables, `refuse` for Trueup's own. */
  readonly guard?: Guard | undefined;
  /** Make the ledger append-only, as Trueup's own always is. Default: false. */
  readonly protect?: boolean | undefined;
}

/** What an installation asks for, with nothing left open. */
export interface Wanted {
  readonly guard: Guard;
  readonly protect: boolean;
}

/**
 * Fills in the defaults.
 *
 * @throws TrueupError `invalid_argument`
 */
export function wantedOf(mapping: ResolvedMapping, options: InstallOptions): Wanted {
  const { guard = keepsOwnTables(mapping) ? 'refuse' : 'keep', protect = false } = options;
  if (!GUARDS.includes(guard)) {
    throw new TrueupError('invalid_argument', `guard cannot be ${JSON.stringify(guard)}`, {
      hint: `It is one of ${GUARDS.join(', ')}.`,
    });
  }
  return { guard, protect };
}

/** The command that installs just this, for messages. */
export function installCommand({ guard, protect }: Wanted): string {
  return `trueup sync install --guard ${guard}${protect ? ' --protect' : ''}`;
}
