import type { Finding } from '../../core/drift.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database, Queryable } from '../../postgres/database.js';
import { isRetryable, toTrueupError } from '../../postgres/failures.js';
import type { Investigator } from '../../reconcile/evidence.js';
import { byHalves } from '../../reconcile/halves.js';
import { lockUsers, repairHeld, REPAIRING } from '../../reconcile/repair.js';
import type { OnLocked } from '../../reconcile/repair-statements.js';
import * as statements from './approve-statements.js';
import type { WaitingCache, WaitingWallet } from './approve-statements.js';

/** A wallet whose findings go on waiting. */
export interface NotApproved {
  readonly walletId: string;
  readonly userId: string | null;
  /** moved_on: it differs otherwise by now. */
  readonly code: 'moved_on' | 'locked' | 'refused' | 'not_waiting';
  readonly message: string;
}

/** What became of some wallets. */
export interface Approved {
  /** The findings of each wallet that was repaired. */
  readonly repaired: readonly (readonly Finding[])[];
  /** Wallets that were in sync. */
  readonly inSync: number;
  readonly left: readonly NotApproved[];
  /** Wallets that somebody else holds, or that are gone. */
  readonly locked: readonly string[];
}

interface ApproveOptions {
  readonly runId: string;
  readonly investigator: Investigator;
  readonly onLocked: OnLocked;
}

const NOTHING: Approved = { repaired: [], inSync: 0, left: [], locked: [] };

/**
 * Repairs wallets in one transaction, where each differs by what was approved, and closes their findings
 * with it. Where the database refuses one, it is told, and the others are repaired.
 */
export function approveWallets(
  database: Database,
  mapping: ResolvedMapping,
  wallets: readonly WaitingWallet[],
  options: ApproveOptions,
): Promise<Approved[]> {
  const { settings, retries } = REPAIRING;
  return byHalves(wallets, {
    work: (some) =>
      database.transaction((session) => approveUnderLock(session, mapping, some, options), {
        settings,
        retries: retries[options.onLocked],
      }),
    givenUp: ({ walletId, userId }, error) =>
      isRetryable(error)
        ? { ...NOTHING, locked: [walletId] }
        : {
            ...NOTHING,
            left: [{ walletId, userId, code: 'refused', message: toTrueupError(error).message }],
          },
  });
}

async function approveUnderLock(
  session: Queryable,
  mapping: ResolvedMapping,
  wallets: readonly WaitingWallet[],
  options: ApproveOptions,
): Promise<Approved> {
  const ids = wallets.map(({ walletId }) => walletId);
  const locked = await lockUsers(session, mapping, ids, options.onLocked);
  const left: NotApproved[] = [];
  let candidates = wallets.filter(({ walletId }) => !locked.includes(walletId));
  while (candidates.length > 0) {
    await session.query(statements.tryOut);
    const walletIds = candidates.map(({ walletId }) => walletId);
    const { found } = await repairHeld(session, mapping, walletIds, options);
    const known = new Map(found.map((findings) => [findings[0]?.walletId, findings]));
    const moved = candidates.flatMap((wallet) => movedOn(wallet, known.get(wallet.walletId)) ?? []);
    if (moved.length === 0) {
      await session.query(
        statements.settle(
          candidates.flatMap(({ findings }) => findings),
          options.runId,
        ),
      );
      return { repaired: found, inSync: candidates.length - found.length, left, locked };
    }
    // What was not approved is taken back, and the others are done once more, under the same locks.
    await session.query(statements.takeBack);
    left.push(...moved);
    const gone = new Set(moved.map(({ walletId }) => walletId));
    candidates = candidates.filter(({ walletId }) => !gone.has(walletId));
  }
  return { ...NOTHING, left, locked };
}

/** Says how a wallet differs otherwise than was approved; undefined where it does not, or is in sync. */
function movedOn(
  { walletId, userId, caches }: WaitingWallet,
  findings: readonly Finding[] | undefined,
): NotApproved | undefined {
  if (findings === undefined) return undefined;
  const left = (message: string): NotApproved => ({ walletId, userId, code: 'moved_on', message });
  const now = new Map(
    findings.filter(({ repaired }) => repaired).map((one) => [nameOf(one), one] as const),
  );
  const changed = caches.find((cache) => !isSame(cache, now.get(nameOf(cache))));
  if (changed !== undefined) {
    const what = differs(now.get(nameOf(changed)));
    return left(`${nameOf(changed)} ${what}, and what waits is ${byOf(changed)}`);
  }
  const known = new Set(caches.map(nameOf));
  const added = [...now.values()].find((one) => !known.has(nameOf(one)));
  if (added === undefined) return undefined;
  return left(`${nameOf(added)} differs too by now, by ${byOf(added)}`);
}

/** Both sides may have moved alike: what is approved is the difference. A null has none. */
function isSame(waiting: WaitingCache, now: Finding | undefined): boolean {
  if (waiting.delta !== now?.delta) return false;
  return waiting.delta !== null || waiting.cached === now.cached;
}

function differs(now: Finding | undefined): string {
  return now === undefined ? 'is right by now' : `differs by ${byOf(now)} by now`;
}

function byOf({ delta, cached }: Pick<WaitingCache, 'delta' | 'cached'>): string {
  return delta ?? (cached === null ? 'null' : `"${cached}"`);
}

function nameOf({ part, field }: Pick<WaitingCache, 'part' | 'field'>): string {
  return `${part}.${field}`;
}
