import type { Catalog } from '../catalog.js';
import type { Mapping } from '../schema.js';
import { Activities } from './activity-table.js';
import { Candidates, type Pair, type ProfileCandidate, type Rejected } from './candidates.js';
import type { Played } from './columns.js';
import { fit, type Choice, type Fitted } from './fitting.js';
import { activityNotes, notesOn } from './notes.js';
import { runnersUp, tableName, type RunnerUp } from './runners-up.js';
import type { Shape } from './shapes.js';
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
  const activities = new Activities(catalog, candidates.links);
  const whole = chosen.slice(0, MOST_PROPOSALS).map((choice) => {
    const { shape, rejected } = activities.of(choice);
    if (choice === chosen[0]) unfit.push(...rejected);
    return { ...choice, activity: shape };
  });
  return {
    proposals: whole.map((choice) => toProposal(choice)),
    runnersUp: runnersUp(whole[0], candidates, unfit),
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
  const { pair, profile, fitted, activity } = choice;
  const parts = [
    toPart({ ...pair.ledger, clues: pair.clues }, fitted.ledger, fitted),
    toPart(pair.wallet, fitted.wallet, fitted),
    ...(profile === undefined || fitted.profile === undefined
      ? []
      : [toPart(profile.profile, fitted.profile, fitted)]),
    ...(activity === undefined ? [] : [toPart(activity, activity.played, fitted)]),
  ];
  const score = pair.score + (fitted.profile === undefined ? 0 : (profile?.score ?? 0));
  const mapping = toMapping(parts);
  return { mapping, parts, notes: [...notesOn(choice), ...activityNotes(mapping)], score };
}

function toPart(
  { part, table, clues, unplayed }: Shape,
  played: readonly Played[],
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
  activity: [
    ...['id', 'user', 'type', 'sourceModel', 'sourceId', 'metadata', 'occurredAt', 'createdAt'],
  ],
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
