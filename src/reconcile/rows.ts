import type { CacheComparison, Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { cacheTexts, comparedCaches } from './generate-comparison.js';
import { firstBreak } from './generate-truth.js';
import type { FoundRow } from './repair-statements.js';

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
    (cache) => `json_build_array(${cacheTexts(mapping, cache).join(', ')})`,
  );
  return `c.wallet_id::text, c.wallet_exists, c.profile_id::text, c.profile_exists, c.user_id::text,
       c.entry_count::text, json_build_array(${caches.join(', ')}) AS caches,
       ${firstBreak(mapping)} AS first_break`;
}

/** What decodes such rows. */
export function comparisonDecoder(mapping: ResolvedMapping): (row: ComparisonRow) => Comparison {
  const compared = comparedCaches(mapping);
  return (row) => {
    const caches: CacheComparison[] = compared.flatMap(({ part, field }, index) => {
      const pair = row.caches[index];
      if (pair === undefined) return [];
      // Without a profile there is nothing to compare; a missing wallet is told by its balance.
      if (part === 'profile' && row.profile_id === null) return [];
      if (!row.wallet_exists && row.wallet_id !== null && field !== 'balance') return [];
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
  };
}

/** What decodes wallets as they were found under lock: only the caches that differed are told. */
export function foundDecoder(mapping: ResolvedMapping): (row: FoundRow) => Comparison {
  const compared = comparedCaches(mapping).map(({ part, field }) => ({
    part,
    field,
    key: `${part}.${field}`,
  }));
  return (row) => {
    const changes = JSON.parse(row.changes) as Changes;
    const caches: CacheComparison[] = [];
    const right: Pick<CacheComparison, 'part' | 'field'>[] = [];
    for (const cache of compared) {
      const { part, field, key } = cache;
      const pair = changes[key];
      if (pair !== undefined) caches.push({ part, field, cached: pair[0], expected: pair[1] });
      else if (part === 'wallet' || row.profile_id !== null) right.push(cache);
    }
    return {
      walletId: row.wallet_id,
      walletExists: true,
      profileId: row.profile_id,
      profileExists: row.profile_exists,
      userId: row.user_id,
      entryCount: row.entry_count,
      caches,
      right,
    };
  };
}

type Changes = Readonly<Partial<Record<string, readonly [string | null, string]>>>;
