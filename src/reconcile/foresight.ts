import { judge, type Rails, type Verdict } from './rails.js';
import { MOST } from './survey-statements.js';
import { isForRepair } from './survey.js';
import { deltasOf } from './tiers.js';
import type { Suspect } from './walk.js';

/** What a dry run has seen, as the survey of a run that repairs would: it tells which rail would stop that one. */
export class Foresight {
  readonly #rails: Rails;
  #suspects = 0;
  #largestDelta = 0n;

  constructor(rails: Rails) {
    this.#rails = rails;
  }

  see(suspect: Suspect): void {
    if (suspect.details === undefined || !isForRepair(suspect)) return;
    this.#suspects += 1;
    for (const delta of deltasOf(suspect.details).map(wholeCoins)) {
      if (delta > this.#largestDelta) this.#largestDelta = delta;
    }
  }

  /** @param wallets that were looked at */
  verdict(wallets: number): Verdict | null {
    const survey = { suspects: this.#suspects, largestDelta: this.#largestDelta, wallets };
    return judge(this.#rails, survey);
  }
}

/**
 * Whole coins, rounded up.
 *
 * @param delta without sign; null: it is no number, which every rail takes for too much
 */
function wholeCoins(delta: string | null): bigint {
  if (delta === null) return BigInt(MOST);
  const [whole = '0', fraction = ''] = delta.split('.');
  return BigInt(whole) + (/[1-9]/.test(fraction) ? 1n : 0n);
}
