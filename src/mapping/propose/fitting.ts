import { checkFit } from '../fit.js';
import type { Column, Ledger, Profile, Wallet } from '../model.js';
import type { Link } from './links.js';
import type { Played } from './columns.js';
import type { Pair, ProfileCandidate } from './candidates.js';
import { severalWallets, type Shape } from './shapes.js';

/** Holds a guess against the rules that every mapping has to fit, and leaves out what does not. */

/** A guess in which every column suits its part. */
export interface Fitted {
  readonly ledger: readonly Played[];
  readonly wallet: readonly Played[];
  readonly profile: readonly Played[] | undefined;
  /** Parts that were left out, as `part.role`, and why. */
  readonly dropped: ReadonlyMap<string, string>;
  /** Why it cannot be a mapping at all. */
  readonly fault: string | undefined;
  /** No index promises that a profile has one wallet. */
  readonly sharedProfilesPossible: boolean;
}

/** Tables that were chosen for a mapping, and the columns of them that fit. */
export interface Choice {
  readonly pair: Pair;
  readonly profile: ProfileCandidate | undefined;
  readonly fitted: Fitted;
  /** Where events are written. */
  readonly activity?: Shape | undefined;
}

const REQUIRED: ReadonlySet<string> = new Set([
  ...['ledger.id', 'ledger.wallet', 'ledger.amount'],
  ...['wallet.id', 'wallet.balance'],
]);

/** What the whole profile part stands and falls with. */
const PROFILE_REQUIRED: ReadonlySet<string> = new Set([
  ...['profile.table', 'profile.id', 'wallet.profile'],
]);

/** The columns of a guess in the order of the mapping file, without those that do not fit. */
export function fit(pair: Pair, candidate: ProfileCandidate | undefined): Fitted {
  const dropped = new Map<string, string>();
  for (;;) {
    const parts = columnsOf(pair, candidate, dropped);
    const { problems, sharedProfilesPossible } = checkFit(toParts(pair, candidate, parts));
    const [problem] = problems;
    if (problem === undefined) {
      return { ...parts, dropped, fault: undefined, sharedProfilesPossible };
    }
    const role = problem.slice(0, problem.indexOf(':'));
    if (REQUIRED.has(role) || dropped.has(role)) {
      return { ...parts, dropped, fault: problem, sharedProfilesPossible };
    }
    dropped.set(PROFILE_REQUIRED.has(role) ? 'profile' : role, problem);
  }
}

interface Parts {
  readonly ledger: readonly Played[];
  readonly wallet: readonly Played[];
  readonly profile: readonly Played[] | undefined;
}

function columnsOf(
  pair: Pair,
  candidate: ProfileCandidate | undefined,
  dropped: ReadonlyMap<string, string>,
): Parts {
  const { ledger, wallet, link } = pair;
  const shown = dropped.has('profile') ? undefined : candidate;
  const kept = (part: string, played: readonly Played[]): Played[] =>
    played.filter(({ role }) => !dropped.has(`${part}.${role}`));
  const taken = new Set(wallet.played.map(({ column }) => column.name));
  const several =
    shown === undefined || shown.link.column.unique
      ? []
      : severalWallets(wallet.table, new Set([...taken, shown.link.column.name]));
  return {
    ledger: kept('ledger', withLink(ledger, 'wallet', link)),
    wallet: kept('wallet', [
      ...(shown === undefined ? wallet.played : withLink(wallet, 'profile', shown.link)),
      ...several,
    ]),
    profile: shown === undefined ? undefined : kept('profile', shown.profile.played),
  };
}

function withLink({ played }: Shape, role: string, link: Link): Played[] {
  const { column, target, how } = link;
  const because =
    how === 'shared'
      ? `names the same row as ${link.key.quoted} of ${target.quoted}`
      : how === 'name'
        ? `its name means ${target.quoted}; there is no foreign key`
        : `foreign key to ${target.quoted}`;
  const [id, ...others] = played;
  const linked = { role, column, points: 0, because };
  return id === undefined ? [linked] : [id, linked, ...others];
}

/** The tables and columns of a guess as a mapping's parts. */
export function toParts(
  pair: Pair,
  candidate: ProfileCandidate | undefined,
  parts: Parts,
): { ledger: Ledger; wallet: Wallet; profile?: Profile } {
  const roles = (played: readonly Played[]): Record<string, Column> =>
    Object.fromEntries(played.map(({ role, column }) => [role, column]));
  const base = {
    ledger: { table: pair.ledger.table, ...roles(parts.ledger) } as unknown as Ledger,
    wallet: { table: pair.wallet.table, ...roles(parts.wallet) } as unknown as Wallet,
  };
  if (candidate === undefined || parts.profile === undefined) return base;
  const profile = {
    table: candidate.profile.table,
    link: candidate.link.column,
    ...roles(parts.profile),
  } as unknown as Profile;
  return { ...base, profile };
}
