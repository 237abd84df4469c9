import type { CacheComparison, Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { asText, comparedCaches, firstBreak } from './generate-comparison.js';

/** How a row of the comparison travels: one JSON array of caches beside the ids. */
export interface ComparisonRow {
  readonly wallet_id: string | null;
  readonly wallet_exists: boolean;
  readonly profile_id: string | null;
  readonly profile_exists: boolean;
  readonly user_id: string | null;
  readonly entry_count: string;
  /** `[cached, expected]` in the order of {@link comparedCaches}. */
  readonly caches: readonly (readonly [string | null, string])[];
  readonly first_break: readonly [string | null, string] | null;
}

/** The select list that makes such a row from the comparison (alias c). */
export function comparisonColumns(mapping: ResolvedMapping): string {
  const caches = comparedCaches(mapping).map(
    ({ name }) => `json_build_array(${asText(`c.${name}`)}, ${asText(`c.${name}_expected`)})`,
  );
  return `c.wallet_id::text, c.wallet_exists, c.profile_id::text, c.profile_exists, c.user_id::text,
       c.entry_count::text, json_build_array(${caches.join(', ')}) AS caches,
       ${firstBreak(mapping)} AS first_break`;
}

/** Decodes such a row. */
export function toComparison(mapping: ResolvedMapping, row: ComparisonRow): Comparison {
  const caches: CacheComparison[] = comparedCaches(mapping).flatMap(({ part, field }, index) => {
    const pair = row.caches[index];
    if (pair === undefined) return [];
    // Without a profile there is nothing to compare; without a wallet row its balance stands for all.
    if (part === 'profile' && row.profile_id === null) return [];
    if (!row.wallet_exists && field !== 'balance') return [];
    return [{ part, field, cached: pair[0], expected: pair[1] }];
  });
  if (row.first_break !== null) {
    const [cached, expected] = row.first_break;
    caches.push({ part: 'wallet', field: 'balanceAfter', cached, expected });
  }
  return {
    walletId: row.wallet_id,
    walletExists: row.wallet_exists,
    profileId: row.profile_id,
    profileExists: row.profile_exists,
    userId: row.user_id,
    entryCount: row.entry_count,
    caches,
  };
}
