import { createHash, type Hash } from 'node:crypto';
import { z } from 'zod';
import { CAUSES } from '../../core/evidence.js';
import { TrueupError } from '../../core/errors.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Queryable } from '../../postgres/database.js';
import * as statements from './plan-statements.js';

/**
 * The form of a plan: JSON Lines. First where it was made, then a line for each drifted wallet, at last
 * what they add up to and the SHA-256 of every byte before it. The checksum tells of mistakes and of files
 * that were cut; it is no signature, and needs none: a plan says what may be repaired, never to what.
 */

export const PLAN_VERSION = 1;

const header = z.strictObject({
  type: z.literal('plan'),
  version: z.literal(PLAN_VERSION),
  ledger: z.string(),
  /** A hash of tables, columns and types. */
  mapping: z.string(),
  database: z.string(),
  /** null: the role that made it could not ask. */
  server: z.string().nullable(),
  createdAt: z.string(),
  trueup: z.string(),
});

const finding = z.strictObject({
  part: z.enum(['wallet', 'profile']),
  field: z.enum(['balance', 'lifetimeEarnings', 'pendingBalance', 'balanceAfter']),
  cached: z.string().nullable(),
  expected: z.string(),
  delta: z.string().nullable(),
  cause: z.enum(CAUSES),
  /** It is larger than the run might repair by itself: a person has to look at it. */
  state: z.literal('review').optional(),
});

const wallet = z.strictObject({
  type: z.literal('wallet'),
  userId: z.string().nullable(),
  walletId: z.string().nullable(),
  profileId: z.string().nullable(),
  findings: z.array(finding).min(1),
});

const whole = z.int().min(0);

const end = z.strictObject({
  type: z.literal('end'),
  /** Wallets that were compared. */
  checked: whole,
  /** Lines of wallets, and of profiles without one. */
  wallets: whole,
  findings: whole,
  /** Wallets of which something can be repaired. */
  repairable: whole,
  /** The largest difference that would be repaired, in whole coins, rounded up. */
  largestDelta: z.string().regex(/^[0-9]+$/),
  /** Why not every wallet is in it; null where every one is. */
  incomplete: z.string().nullable(),
  checksum: z.string(),
});

export const LINES = { header, wallet, end } as const;

export type PlanHeader = Readonly<z.infer<typeof header>>;
export type PlanFinding = Readonly<z.infer<typeof finding>>;
export type PlanWallet = Readonly<z.infer<typeof wallet>>;
export type PlanEnd = Readonly<z.infer<typeof end>>;

/**
 * The last line.
 *
 * @param hash of all lines before
 * @param totals as JSON, without its last brace
 */
export function endLine(hash: Hash, totals: string): string {
  const checksum = hash.copy().update(totals).digest('hex');
  return `${totals},"checksum":"${checksum}"}\n`;
}

/** Where a plan is made, or is about to be applied. */
export type PlanPlace = Pick<PlanHeader, 'ledger' | 'mapping' | 'database' | 'server'> & {
  readonly at: Date;
};

export async function placeOf(session: Queryable, mapping: ResolvedMapping): Promise<PlanPlace> {
  const [privilege] = await session.query<{ may: boolean }>(statements.mayIdentify);
  const [row] = await session.query<statements.PlaceRow>(statements.place(privilege?.may === true));
  if (row === undefined) throw new Error('a database that is connected to is in the catalog');
  return {
    ...row,
    ledger: mapping.ledger.table.quoted,
    mapping: hashOf(mapping),
  };
}

/** A table, or a column with its type. */
interface Named {
  readonly quoted: string;
  readonly type?: string;
}

/** The same for the same tables, columns and types, in whatever order the mapping names them. */
function hashOf({ ledger, wallet, profile, unearned, numbered }: ResolvedMapping): string {
  const names = Object.entries({ ledger, wallet, profile: profile ?? {} }).flatMap(([part, of]) =>
    Object.entries<Named>({ ...of }).map(([name, one]) =>
      [part, name, one.quoted, one.type ?? ''].join(' '),
    ),
  );
  const text = JSON.stringify([names.sort(), [...unearned].sort(), numbered]);
  return createHash('sha256').update(text).digest('hex');
}

/** @throws TrueupError `plan_foreign` */
export function refuseForeign(plan: PlanHeader, here: PlanPlace): void {
  const differs = [
    ...(plan.ledger === here.ledger ? [] : [`ledger ${plan.ledger}, and this is ${here.ledger}`]),
    ...(plan.database === here.database
      ? []
      : [`database ${plan.database}, and this is ${here.database}`]),
    ...(plan.server === null || here.server === null || plan.server === here.server
      ? []
      : ['another server, or a database that was made anew since']),
    ...(plan.mapping === here.mapping ? [] : ['another mapping: tables, columns or types differ']),
  ];
  if (differs.length === 0) return;
  throw new TrueupError('plan_foreign', `the plan was made for ${differs.join('; ')}`, {
    hint: 'Make a plan here: trueup reconcile --all --plan FILE. Nothing was changed.',
  });
}
