import { difference } from '../core/amount.js';
import type { Comparison } from '../core/drift.js';
import { isWorthTrying } from './mender.js';
import { judge, type Rails, type Verdict } from './rails.js';
import { MOST } from './survey-statements.js';
import type { Suspect } from './walk.js';

/** What a dry run has seen, as the survey of a run that repairs would: it tells which rail would stop that one. */
export class Foresight {
  readonly #rails: Rails | null;
  #suspects = 0;
  #largestDelta = 0n;

  /** @param rails null: nothing would stop it */
  constructor(rails: Rails | null) {
    this.#rails = rails;
  }

  see({ walletId, details, negative }: Suspect): void {
    if (walletId === null || negative === 'only' || details === undefined) return;
    if (!isWorthTrying(details)) return;
    this.#suspects += 1;
    const delta = largestDelta(details);
    if (delta > this.#largestDelta) this.#largestDelta = delta;
  }

  /** @param wallets that were looked at */
  verdict(wallets: number): Verdict | null {
    if (this.#rails === null) return null;
    const survey = { suspects: this.#suspects, largestDelta: this.#largestDelta, wallets };
    return judge(this.#rails, survey);
  }
}

/** By how much a cache would be changed at most, in whole coins, rounded up. */
function largestDelta({ caches, profileExists }: Comparison): bigint {
  return caches
    .filter(({ part, field }) => field !== 'balanceAfter' && (part === 'wallet' || profileExists))
    .map(({ cached, expected }) => wholeCoins(difference(expected, cached ?? '0')))
    .reduce((largest, delta) => (delta > largest ? delta : largest), 0n);
}

/** @param delta null: it is no number, which every rail takes for too much */
function wholeCoins(delta: string | null): bigint {
  if (delta === null) return BigInt(MOST);
  const [whole = '0', fraction = ''] = delta.replace('-', '').split('.');
  return BigInt(whole) + (/[1-9]/.test(fraction) ? 1n : 0n);
}
