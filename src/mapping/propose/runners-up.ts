import type { CatalogTable } from '../catalog.js';
import { joinTableName } from '../../postgres/identifiers.js';
import type { Candidates, Pair, Rejected } from './candidates.js';
import type { Clue } from './columns.js';
import type { Choice } from './fitting.js';
import type { PartName } from './roles.js';

/** The tables that were not chosen, and what speaks against them. */

/** A table that was not chosen. */
export interface RunnerUp {
  readonly part: PartName;
  readonly table: string;
  readonly against: readonly string[];
}

/** So many are told for each part. */
const MOST_RUNNERS_UP = 3;

/** The nearest of those that were not chosen, for each part. */
export function runnersUp(
  best: Choice | undefined,
  candidates: Candidates,
  unfit: readonly Rejected[],
): RunnerUp[] {
  const used = new Set(
    best === undefined
      ? []
      : [best.pair.ledger, best.pair.wallet, best.profile?.profile, best.activity].map(
          (one) => one?.table.oid,
        ),
  );
  const profiles =
    best === undefined ? { found: [], rejected: [] } : candidates.profilesOf(best.pair);
  const all = [
    ...(best === undefined ? [] : otherPairs(best, candidates.pairs)),
    ...profiles.found.map(({ profile, score }) => ({
      part: 'profile' as const,
      table: profile.table,
      against: lacking(
        profile.clues,
        best?.profile?.profile.clues ?? [],
        score,
        best?.profile?.score,
      ),
    })),
    ...[...unfit, ...candidates.rejected, ...profiles.rejected].map(({ why, ...rest }) => ({
      ...rest,
      against: [why],
    })),
  ];
  const told = new Set<string>();
  const counts = new Map<PartName, number>();
  return all.flatMap(({ part, table, against }) => {
    const key = `${part} ${table.oid}`;
    const count = counts.get(part) ?? 0;
    if (used.has(table.oid) || told.has(key) || count >= MOST_RUNNERS_UP) return [];
    told.add(key);
    counts.set(part, count + 1);
    return [{ part, table: tableName(table), against }];
  });
}

function otherPairs(
  best: Choice,
  pairs: readonly Pair[],
): { part: PartName; table: CatalogTable; against: string[] }[] {
  const { ledger, wallet, clues, score } = best.pair;
  return pairs.flatMap((pair) => [
    ...(pair.wallet.table === wallet.table && pair.ledger.table !== ledger.table
      ? [
          {
            part: 'ledger' as const,
            table: pair.ledger.table,
            against: lacking(pair.clues, clues, pair.score, score),
          },
        ]
      : []),
    ...(pair.wallet.table === wallet.table
      ? []
      : [
          {
            part: 'wallet' as const,
            table: pair.wallet.table,
            against: lacking(
              [...pair.wallet.clues, ...pair.clues],
              [...wallet.clues, ...clues],
              pair.score,
              score,
            ),
          },
        ]),
  ]);
}

/** What speaks against a candidate beside the one that was chosen. */
function lacking(
  clues: readonly Clue[],
  best: readonly Clue[],
  score: number,
  bestScore: number | undefined,
): string[] {
  if (score === bestScore) return ['just as likely: the first by name was taken'];
  const pointsFor = (key: string): number =>
    clues.filter((clue) => clue.key === key).reduce((total, { points }) => total + points, 0);
  const missing = best
    .filter(
      ({ key, points }) => points > 0 && pointsFor(key) <= 0 && !['index', 'id'].includes(key),
    )
    .map(({ key }) => LACKS[key] ?? `no ${key}`);
  const against = clues.filter(({ points }) => points < 0).map(({ text }) => text);
  const reasons = [...new Set([...against, ...missing])];
  return reasons.length > 0 ? reasons : ['its names and keys say less'];
}

const LACKS: Readonly<Record<string, string>> = {
  name: 'its name does not say so',
  link: 'no link',
};

/** Without its schema only where every role finds it like this, as a rule: in `public`. */
export function tableName({ schema, name, visible }: CatalogTable): string {
  return joinTableName(schema === 'public' && visible ? undefined : schema, name);
}
