import type { Catalog, CatalogTable } from '../catalog.js';
import type { Mapping } from '../schema.js';
import { joinTableName } from '../../postgres/identifiers.js';
import { Candidates, type Pair, type ProfileCandidate, type Rejected } from './candidates.js';
import type { Clue, Played, Unplayed } from './columns.js';
import { fit, type Choice, type Fitted } from './fitting.js';
import { notesOn } from './notes.js';
import type { PartName } from './roles.js';

/** What a proposal consists of: a mapping, and for each guess in it what speaks for it. */

/** One column of a proposed mapping. */
export interface ProposedColumn {
  readonly role: string;
  readonly column: string;
  readonly type: string;
  readonly because: string;
}

/** What is off because no column was found for it. */
export interface ProposedLack {
  readonly role: string;
  readonly off: string;
  /** Columns that came near, and why they were not taken. */
  readonly because: readonly string[];
}

/** One table of a proposed mapping. */
export interface ProposedPart {
  readonly part: PartName;
  /** As the mapping file spells it. */
  readonly table: string;
  readonly because: readonly string[];
  readonly columns: readonly ProposedColumn[];
  readonly lacks: readonly ProposedLack[];
}

/** A table that was not chosen. */
export interface RunnerUp {
  readonly part: PartName;
  readonly table: string;
  readonly against: readonly string[];
}

/** A mapping that fits the catalog, and why it was made like this. */
export interface Proposal {
  readonly mapping: Mapping;
  readonly parts: readonly ProposedPart[];
  /** What a person should know before accepting. */
  readonly notes: readonly string[];
  /** The higher, the likelier; only the order means something. */
  readonly score: number;
}

/** All that was found in a catalog. */
export interface Proposals {
  /** The likeliest first; empty where nothing fits. */
  readonly proposals: readonly Proposal[];
  readonly runnersUp: readonly RunnerUp[];
  /** How many tables and views were looked at. */
  readonly looked: number;
}

/** A person chooses among so many. */
const MOST_PROPOSALS = 9;

/** So many runners-up are told for each part. */
const MOST_RUNNERS_UP = 3;

/** Proposes mappings for a catalog. Pure: the same catalog, the same proposals in the same order. */
export function propose(catalog: Catalog): Proposals {
  const candidates = new Candidates(catalog);
  const unfit: Rejected[] = [];
  const chosen: Choice[] = [];
  for (const pair of distinct(candidates.pairs)) {
    if (chosen.length >= MOST_PROPOSALS) break;
    for (const profile of profilesFor(candidates, pair, chosen.length === 0)) {
      const fitted = fit(pair, profile);
      if (fitted.fault === undefined) chosen.push({ pair, profile, fitted });
      else unfit.push(misfit(pair, fitted.fault));
    }
  }
  const best = chosen[0];
  return {
    proposals: chosen.slice(0, MOST_PROPOSALS).map((choice) => toProposal(choice)),
    runnersUp: runnersUp(best, candidates, unfit),
    looked: catalog.length,
  };
}

/** One pair for each two tables: the likeliest of their links. */
function distinct(pairs: readonly Pair[]): Pair[] {
  const seen = new Set<string>();
  return pairs.filter(({ ledger, wallet }) => {
    const key = `${ledger.table.oid} ${wallet.table.oid}`;
    return !seen.has(key) && seen.add(key).has(key);
  });
}

/** The likeliest profile of a pair; for the first pair also the others, and none at all. */
function profilesFor(
  candidates: Candidates,
  pair: Pair,
  all: boolean,
): (ProfileCandidate | undefined)[] {
  const { found } = candidates.profilesOf(pair);
  if (!all) return [found[0]];
  const seen = new Set<string>();
  const each = found.filter(
    ({ profile }) => !seen.has(profile.table.oid) && seen.add(profile.table.oid).size > 0,
  );
  return [...each, undefined];
}

function misfit(pair: Pair, fault: string): Rejected {
  const part = fault.startsWith('wallet') ? ('wallet' as const) : ('ledger' as const);
  return { part, table: pair[part].table, why: fault, score: pair.score };
}

function toProposal(choice: Choice): Proposal {
  const { pair, profile, fitted } = choice;
  const parts = [
    toPart('ledger', pair.ledger.table, fitted.ledger, pair.ledger.unplayed, pair.clues, fitted),
    toPart(
      'wallet',
      pair.wallet.table,
      fitted.wallet,
      pair.wallet.unplayed,
      pair.wallet.clues,
      fitted,
    ),
    ...(profile === undefined || fitted.profile === undefined
      ? []
      : [
          toPart(
            'profile',
            profile.profile.table,
            fitted.profile,
            profile.profile.unplayed,
            profile.profile.clues,
            fitted,
          ),
        ]),
  ];
  const score = pair.score + (fitted.profile === undefined ? 0 : (profile?.score ?? 0));
  return { mapping: toMapping(parts), parts, notes: notesOn(choice), score };
}

function toPart(
  part: PartName,
  table: CatalogTable,
  played: readonly Played[],
  unplayed: readonly Unplayed[],
  clues: readonly Clue[],
  { dropped }: Fitted,
): ProposedPart {
  const lost = [...dropped]
    .filter(([role]) => role.startsWith(`${part}.`))
    .map(([role, why]) => ({ role: role.slice(part.length + 1), off: 'left out', because: [why] }));
  const about = new Set(played.map(({ role }) => role));
  return {
    part,
    table: tableName(table),
    because: clues
      .filter(({ key }) => !about.has(key) && key !== 'id')
      .map(({ points, text }) => (points < 0 ? `but ${text}` : text)),
    columns: inOrder(part, played).map(({ role, column, because }) => ({
      role,
      column: column.name,
      type: column.type,
      because,
    })),
    lacks: [...unplayed, ...lost],
  };
}

/** The order of the keys in a mapping file. */
const KEY_ORDER: Readonly<Record<PartName, readonly string[]>> = {
  ledger: ['id', 'wallet', 'amount', 'reason', 'balanceAfter', 'idempotencyKey', 'createdAt'],
  wallet: [
    ...['id', 'profile', 'balance', 'lifetimeEarnings', 'pendingBalance', 'allowOverdraft'],
    ...['currency', 'primary', 'updatedAt'],
  ],
  profile: ['id', 'user', 'balance', 'lifetimeEarnings', 'updatedAt'],
};

function inOrder(part: PartName, played: readonly Played[]): Played[] {
  return KEY_ORDER[part].flatMap((role) => played.filter((one) => one.role === role));
}

function toMapping(parts: readonly ProposedPart[]): Mapping {
  return Object.fromEntries(
    parts.map(({ part, table, columns }) => [
      part,
      { table, ...Object.fromEntries(columns.map(({ role, column }) => [role, column])) },
    ]),
  ) as unknown as Mapping;
}

/** Without its schema only where every role finds it like this, as a rule: in `public`. */
export function tableName({ schema, name, visible }: CatalogTable): string {
  return joinTableName(schema === 'public' && visible ? undefined : schema, name);
}

function runnersUp(
  best: Choice | undefined,
  candidates: Candidates,
  unfit: readonly Rejected[],
): RunnerUp[] {
  const used = new Set(
    best === undefined
      ? []
      : [best.pair.ledger, best.pair.wallet, best.profile?.profile].map((one) => one?.table.oid),
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
