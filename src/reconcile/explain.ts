import type { BreakFact, ChainFact, Comparison, GapFact } from '../core/comparison.js';
import {
  findingsOf,
  isRepairable,
  type Cause,
  type Finding,
  type Field,
  type Part,
} from '../core/drift.js';
import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { compared, profilesWithoutWallet } from './detect-statements.js';
import { Investigator } from './evidence.js';
import * as statements from './explain-statements.js';
import { readSources } from './records.js';
import { comparisonDecoder, type ComparisonRow } from './rows.js';
import { refusalOf, sharersOf } from './shared-profiles.js';
import { asId, findWallets } from './users.js';

/** Whose balance is to be explained: exactly one of the two. */
export interface ExplainRequest {
  readonly userId?: string | undefined;
  readonly walletId?: string | undefined;
}

/** The story of a balance: what {@link explain} saw, all of one moment. Ids, amounts and times are text. */
export interface BalanceStory {
  readonly ledger: string;
  readonly takenAt: string;
  /** The sync of this ledger; null where it was never installed, or this role cannot see it. */
  readonly installation: {
    readonly installedAt: string;
    readonly installedBy: string;
    readonly removedAt: string | null;
    readonly verifiedAt: string | null;
    readonly guard: string;
  } | null;
  /** Why reconcile would refuse to run at all; null where it would not, or has nothing to do here. */
  readonly refusal: string | null;
  /** One for each wallet; a user without any has one with `walletId` null. */
  readonly wallets: readonly WalletStory[];
}

/** The story of one wallet. Records are the last few, the newest first. */
export interface WalletStory {
  readonly walletId: string | null;
  readonly profileId: string | null;
  readonly userId: string | null;
  /**
   * Other wallets of the same profile, which can show one wallet only. Where there are any, what the profile
   * holds has no one cause, and no finding is about it.
   */
  readonly sharedWith: readonly string[];
  readonly walletExists: boolean;
  readonly profileExists: boolean;
  readonly entryCount: string;
  /** What each cache says, beside what the ledger (or the open holds) says. */
  readonly caches: readonly {
    readonly part: Part;
    readonly field: Field;
    readonly cached: string | null;
    readonly expected: string;
  }[];
  readonly findings: readonly (Finding & { readonly remedy: Remedy })[];
  /** Where the running balance departs from the sum of the entries; null where it nowhere does. */
  readonly chain: ChainFact | null;
  /** Around the first break, or the last few. */
  readonly entries: readonly (statements.EntryRow & { readonly atBreak: boolean })[];
  readonly writes: readonly StoryWrite[];
  readonly failures: readonly StoryFailure[];
  readonly gaps: readonly GapFact[];
  readonly repairs: readonly StoryRepair[];
}

/** What reconcile would do about a finding; `refuse`: it would not run at all. */
export type Remedy = 'repair' | 'leave' | 'refuse';

/** What the guard saw somebody write; a write that was kept out changed nothing. */
export interface StoryWrite {
  readonly id: string;
  readonly part: Part;
  readonly field: Field;
  readonly oldValue: string | null;
  readonly newValue: string | null;
  readonly action: 'kept' | 'recorded';
  readonly role: string;
  readonly applicationName: string;
  readonly writtenAt: string;
}

/** A profile that could not follow. */
export interface StoryFailure {
  readonly id: string;
  readonly sqlState: string;
  readonly message: string;
  readonly failedAt: string;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly healedAt: string | null;
}

/** A repair that was made before. */
export interface StoryRepair {
  readonly runId: string;
  readonly kind: 'reconcile' | 'heal' | 'service';
  readonly cause: Cause;
  /** `{"profile.balance": ["0", "494"]}`: before and after. */
  readonly changes: Readonly<Record<string, readonly [string | null, string]>>;
  readonly repairedAt: string;
}

interface StoryRow {
  readonly writes: readonly StoryWrite[];
  readonly failures: readonly StoryFailure[];
  readonly gaps: readonly GapFact[];
  readonly repairs: readonly StoryRepair[];
  readonly installation: BalanceStory['installation'];
  readonly takenAt: string;
}

/** One moment for the whole story. The sums of a long history sort in memory. */
const SNAPSHOT = {
  readOnly: true,
  settings: { transaction_isolation: 'repeatable read', work_mem: '128MB' },
} as const;

/**
 * Tells why a balance is what it is: what each part says, where the running balance departs, what is on
 * record about it, the cause of each difference, and what reconcile would do. Reads only, in one
 * snapshot; a role with SELECT on the mapped tables is enough, also where Trueup has never been.
 *
 * @throws TrueupError `invalid_argument`, `user_not_found`, `wallet_not_found`, `feature_off` (the
 *   mapping does not say which profile is whose), `permission_denied`
 */
export async function explain(
  database: Database,
  mapping: ResolvedMapping,
  request: ExplainRequest,
): Promise<BalanceStory> {
  const { userId, walletId } = request;
  if ((userId === undefined) === (walletId === undefined)) {
    throw new TrueupError('invalid_argument', 'exactly one of userId and walletId is needed', {
      hint: 'Name the user, or one of his wallets.',
    });
  }
  return database.transaction(async (session) => {
    const rows =
      walletId === undefined
        ? await rowsOfUser(session, mapping, userId ?? '')
        : await rowOfWallet(session, mapping, walletId);
    return tell(session, mapping, rows);
  }, SNAPSHOT);
}

async function rowOfWallet(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
): Promise<Comparison[]> {
  const rows = await asId('wallet', walletId, () => compareAll(session, mapping, [walletId]));
  if (rows.length > 0) return rows;
  throw new TrueupError('wallet_not_found', `there is no wallet ${walletId}`);
}

async function rowsOfUser(
  session: Queryable,
  mapping: ResolvedMapping,
  userId: string,
): Promise<Comparison[]> {
  const found = await findWallets(session, mapping, [userId]);
  if (found.every(({ known }) => !known)) {
    throw new TrueupError('user_not_found', `no profile belongs to user ${userId}`, {
      hint: 'Give an id as the profile table holds it.',
    });
  }
  const walletIds = found.flatMap(({ walletId }) => (walletId === null ? [] : [walletId]));
  if (walletIds.length > 0) return compareAll(session, mapping, walletIds);
  return [await rowWithoutWallet(session, mapping, userId)];
}

async function compareAll(
  session: Queryable,
  mapping: ResolvedMapping,
  walletIds: readonly string[],
): Promise<Comparison[]> {
  const rows = await session.query<ComparisonRow>(compared(mapping, walletIds));
  return rows.map(comparisonDecoder(mapping));
}

/** A user who has a profile and no wallet: it shows coins without a history, or nothing. */
async function rowWithoutWallet(
  session: Queryable,
  mapping: ResolvedMapping,
  userId: string,
): Promise<Comparison> {
  const find = statements.profileOfUser(mapping, userId);
  const [profile] = find === undefined ? [] : await session.query<{ profileId: string }>(find);
  const profileId = profile?.profileId ?? '';
  const drifted = profilesWithoutWallet(mapping, { above: undefined, upTo: profileId, only: true });
  const rows = drifted === undefined ? [] : await session.query<ComparisonRow>(drifted);
  const [row] = rows.map(comparisonDecoder(mapping));
  return (
    row ?? {
      walletId: null,
      walletExists: false,
      profileId,
      profileExists: true,
      userId,
      entryCount: '0',
      caches: [],
    }
  );
}

async function tell(
  session: Queryable,
  mapping: ResolvedMapping,
  rows: readonly Comparison[],
): Promise<BalanceStory> {
  const sources = await readSources(session, mapping);
  const sharers = await sharersOf(session, mapping, rows);
  const investigated = await new Investigator(mapping).investigate(session, rows);
  const wallets: WalletStory[] = [];
  let common: StoryRow | undefined;
  for (const row of investigated) {
    const [records] = await session.query<StoryRow>(statements.story(mapping, sources, row));
    if (records === undefined) continue;
    common = records;
    const sharedWith = sharers.get(row.walletId) ?? [];
    wallets.push(await tellWallet(session, mapping, { ...row, sharedWith }, records));
  }
  const refusal = wallets.some((one) => one.findings.length + one.sharedWith.length > 0)
    ? await refusalOf(session, mapping)
    : null;
  return {
    ledger: mapping.ledger.table.quoted,
    takenAt: common?.takenAt ?? '',
    installation: common?.installation ?? null,
    refusal,
    wallets: refusal === null ? wallets : wallets.map(refused),
  };
}

function refused(wallet: WalletStory): WalletStory {
  return { ...wallet, findings: wallet.findings.map((one) => ({ ...one, remedy: 'refuse' })) };
}

async function tellWallet(
  session: Queryable,
  mapping: ResolvedMapping,
  row: Comparison & Pick<WalletStory, 'sharedWith'>,
  { writes, failures, gaps, repairs }: StoryRow,
): Promise<WalletStory> {
  const { walletId, profileId, userId, sharedWith, walletExists, profileExists, entryCount } = row;
  const chain = row.facts?.chain ?? null;
  const told = findingsOf(row, { repaired: false }).filter(
    ({ part }) => part !== 'profile' || sharedWith.length === 0,
  );
  const findings = told.map((finding) => ({
    ...finding,
    remedy: isRepairable(finding.cause, finding.field) ? ('repair' as const) : ('leave' as const),
  }));
  return {
    walletId,
    profileId,
    userId,
    sharedWith,
    walletExists,
    profileExists,
    entryCount,
    caches: row.caches.filter(({ field }) => field !== 'balanceAfter'),
    findings,
    chain,
    entries: walletId === null ? [] : await entriesOf(session, mapping, walletId, chain?.first[0]),
    writes,
    failures,
    gaps,
    repairs,
  };
}

async function entriesOf(
  session: Queryable,
  mapping: ResolvedMapping,
  walletId: string,
  broken: BreakFact | undefined,
): Promise<WalletStory['entries']> {
  const place = broken?.sequence ?? broken?.entryId;
  const rows = await session.query<statements.EntryRow>(
    statements.entriesAround(mapping, walletId, place),
  );
  return rows.map((row) => ({ ...row, atBreak: row.id === broken?.entryId }));
}
