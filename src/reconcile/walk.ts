import type { Comparison } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Statement } from '../postgres/database.js';
import type { Checkpoint } from './checkpoint.js';
import * as statements from './detect-statements.js';
import type { Investigator } from './evidence.js';
import { comparisonDecoder, type ComparisonRow } from './rows.js';

/** A user who has drifted, as detection saw him without any lock. */
export interface Suspect {
  /** null: a profile that has no wallet. */
  readonly walletId: string | null;
  /** Left out where there is nothing but caches to overwrite, and the run is going to. */
  readonly details?: Comparison;
  /** The largest difference of a cache, in coins; only in a survey. */
  readonly delta?: string;
}

/** What one batch looks at. */
export type Piece = {
  /** Wallets that count as looked at with this piece. */
  readonly wallets: number;
  /** What the checkpoint says once the piece is done. */
  readonly mark: Partial<Checkpoint>;
  /** Wallets, or profiles that have none, that were looked at before. */
  readonly except?: ReadonlySet<string>;
} & (
  | ({ readonly kind: 'range' } & statements.IdRange)
  | { readonly kind: 'ids'; readonly walletIds: readonly string[] }
  | {
      readonly kind: 'profiles';
      readonly above: string | undefined;
      readonly upTo: string;
    }
  | { readonly kind: 'profileIds'; readonly profileIds: readonly string[] }
);

/** What a walk works with. */
export interface Walk {
  readonly database: Database;
  readonly mapping: ResolvedMapping;
  readonly investigator: Investigator;
  /** Give the details of every suspect, for a run that only reports. */
  readonly detailed: boolean;
  /** Say by how much each suspect differs, for a run that surveys before it repairs. */
  readonly measured: boolean;
}

/** Detection may sort and hash a whole batch: PostgreSQL's default of 4 MB would go to disk. */
const DETECTION = { readOnly: true, settings: { work_mem: '64MB' } } as const;

/** What is on record about the drifted has to be of the same moment. */
const INVESTIGATION = {
  readOnly: true,
  settings: { ...DETECTION.settings, transaction_isolation: 'repeatable read' },
} as const;

/**
 * Finds who has drifted in one piece. One read-only statement with a snapshot of its own: no lock, and
 * no snapshot that lives for the whole run.
 */
export async function detectIn(walk: Walk, piece: Piece): Promise<Suspect[]> {
  const found = await suspectsIn(walk, piece);
  const { except } = piece;
  if (except === undefined) return found;
  return found.filter(({ walletId, details }) => !except.has(walletId ?? details?.profileId ?? ''));
}

async function suspectsIn(walk: Walk, piece: Piece): Promise<Suspect[]> {
  const { mapping } = walk;
  switch (piece.kind) {
    case 'range':
      return walk.detailed
        ? detect(walk, statements.driftedInRange(mapping, piece))
        : detectBriefly(walk, statements.suspectsInRange(mapping, piece, walk.measured));
    case 'ids':
      return walk.detailed
        ? detect(walk, statements.driftedAmong(mapping, piece.walletIds))
        : detectBriefly(walk, statements.suspectsAmong(mapping, piece.walletIds, walk.measured));
    case 'profiles': {
      const statement = statements.profilesWithoutWallet(mapping, piece);
      return statement === undefined ? [] : detect(walk, statement);
    }
    case 'profileIds': {
      const statement = statements.profilesWithoutWalletAmong(mapping, piece.profileIds);
      return statement === undefined ? [] : detect(walk, statement);
    }
  }
}

/** The details of some wallets, as far as they have drifted, by wallet. */
export async function detailsOf(
  walk: Walk,
  walletIds: readonly string[],
): Promise<ReadonlyMap<string, Comparison>> {
  if (walletIds.length === 0) return new Map();
  const found = await detect(walk, statements.driftedAmong(walk.mapping, walletIds));
  return new Map(
    found.flatMap(({ walletId, details }) =>
      walletId === null || details === undefined ? [] : [[walletId, details] as const],
    ),
  );
}

async function detect(walk: Walk, statement: Statement): Promise<Suspect[]> {
  const decode = comparisonDecoder(walk.mapping);
  const found = await walk.database.transaction(async (session) => {
    const rows = await session.query<ComparisonRow>(statement);
    return walk.investigator.investigate(session, rows.map(decode));
  }, INVESTIGATION);
  return found.map((details) => ({ walletId: details.walletId, details }));
}

/** Ids are enough for whoever is compared again under lock; only special cases are asked about. */
async function detectBriefly(walk: Walk, statement: Statement): Promise<Suspect[]> {
  const rows = await walk.database.transaction(
    (session) => session.query<statements.SuspectRow>(statement),
    DETECTION,
  );
  const special = rows.filter((row) => row.special).map(({ walletId }) => walletId);
  const details = await detailsOf(walk, special);
  return rows.flatMap(({ walletId, special: isSpecial, delta }) => {
    const known = details.get(walletId);
    const measure = delta === undefined ? {} : { delta };
    if (known !== undefined) return [{ walletId, details: known, ...measure }];
    return isSpecial ? [] : [{ walletId, ...measure }];
  });
}
