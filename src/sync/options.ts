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
  /** Profiles are only marked in the commit, and carried by an open Trueup. Default: false. */
  readonly deferred?: boolean | undefined;
}

/** What an installation asks for, with nothing left open. */
export interface Wanted {
  readonly guard: Guard;
  readonly protect: boolean;
  readonly deferred: boolean;
}

/**
 * Fills in the defaults.
 *
 * @throws TrueupError `invalid_argument`; `feature_off` where there is nothing to defer
 */
export function wantedOf(mapping: ResolvedMapping, options: InstallOptions): Wanted {
  const {
    guard = keepsOwnTables(mapping) ? 'refuse' : 'keep',
    protect = false,
    deferred = false,
  } = options;
  if (!GUARDS.includes(guard)) {
    throw new TrueupError('invalid_argument', `guard cannot be ${JSON.stringify(guard)}`, {
      hint: `It is one of ${GUARDS.join(', ')}.`,
    });
  }
  if (deferred) refuseToDefer(mapping);
  return { guard, protect, deferred };
}

function refuseToDefer({ profile, wallet }: ResolvedMapping): void {
  if (profile?.balance === undefined && profile?.lifetimeEarnings === undefined) {
    throw new TrueupError('feature_off', 'there is no profile cache that could be deferred', {
      hint: 'Install without --deferred, or name the cache of a profile in the mapping.',
    });
  }
  if (profile.lifetimeEarnings !== undefined && wallet.lifetimeEarnings === undefined) {
    throw new TrueupError('feature_off', 'the wallet keeps no lifetime earnings to be copied', {
      hint: 'Install without --deferred, or name wallet.lifetimeEarnings in the mapping.',
    });
  }
}

/** The command that installs just this, for messages. */
export function installCommand({ guard, protect, deferred }: Wanted): string {
  return `trueup sync install --guard ${guard}${protect ? ' --protect' : ''}${deferred ? ' --deferred' : ''}`;
}
