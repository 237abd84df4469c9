import { wholeCoins } from '../core/amount.js';
import { TrueupError } from '../core/errors.js';
import {
  decidePost,
  type EarlierEntry,
  type PostOutcome,
  type PostRequest,
  type WalletState,
} from '../core/post.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import { sqlStateOf } from '../postgres/failures.js';
import * as statements from './statements.js';

/** How often a posting starts again after a deadlock, or after the same key won elsewhere. */
const RETRIES = 5;

/**
 * Posts one credit or debit in a transaction of its own: lock the wallet, look the key up, decide,
 * insert. The sync triggers carry the caches along.
 *
 * @throws TrueupError `invalid_argument`, `feature_off`, and what the database refuses
 */
export async function post(
  database: Database,
  mapping: ResolvedMapping,
  direction: 'credit' | 'debit',
  request: PostRequest,
): Promise<PostOutcome> {
  checkRequest(mapping, request);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.transaction(
        (session) => postInside(session, mapping, direction, request),
        { retries: RETRIES },
      );
    } catch (error) {
      // Somebody posted this key on another wallet between our look and our insert: look again.
      const keyIsTaken = sqlStateOf(error) === '23505' && request.idempotencyKey !== undefined;
      if (!keyIsTaken || attempt >= RETRIES) throw explain(mapping, error);
    }
  }
}

async function postInside(
  session: Queryable,
  mapping: ResolvedMapping,
  direction: 'credit' | 'debit',
  request: PostRequest,
): Promise<PostOutcome> {
  const wallet = await lockWallet(session, mapping, request);
  const earlier = await findEarlier(session, mapping, request.idempotencyKey);
  const decision = decidePost(direction, request, wallet, earlier);
  if (decision.kind === 'answer' || wallet === undefined) return answer(decision);
  const { amount } = decision;
  const [row] = await session.query<statements.EntryRow>(
    statements.insertEntry(mapping, {
      wallet: wallet.walletId,
      amount: amount.toString(),
      reason: request.reason,
      note: request.note,
      metadata: request.metadata === undefined ? undefined : JSON.stringify(request.metadata),
      actor: request.actor,
      idempotencyKey: request.idempotencyKey,
      balanceAfter:
        mapping.ledger.sequence === undefined ? (wallet.balance + amount).toString() : undefined,
    }),
  );
  if (row === undefined) {
    throw new TrueupError('database_failed', 'the ledger did not take the entry', {
      hint: `A trigger or a rule of the application on ${mapping.ledger.table.quoted} drops entries.`,
    });
  }
  const { entryId, walletId, balanceAfter } = toEarlier(row);
  return { status: 'posted', entryId, walletId, amount, balanceAfter, replayed: false };
}

function answer(decision: ReturnType<typeof decidePost>): PostOutcome {
  if (decision.kind === 'answer') return decision.outcome;
  throw new TrueupError('database_failed', 'an entry was decided for a wallet that is not there');
}

async function lockWallet(
  session: Queryable,
  mapping: ResolvedMapping,
  request: PostRequest,
): Promise<WalletState | undefined> {
  const statement =
    request.walletId === undefined
      ? statements.lockWalletOfUser(mapping, request.userId ?? '')
      : statements.lockWallet(mapping, request.walletId);
  if (statement === undefined) {
    throw new TrueupError('feature_off', 'the mapping does not say which profile is whose', {
      hint: 'Name profile.user in the mapping, or give walletId.',
    });
  }
  const [row] = await session.query<statements.LockedWalletRow>(statement);
  return row === undefined ? undefined : { ...row, balance: wholeCoins(row.balance ?? '0') };
}

async function findEarlier(
  session: Queryable,
  mapping: ResolvedMapping,
  key: string | undefined,
): Promise<EarlierEntry | undefined> {
  if (key === undefined) return undefined;
  const statement = statements.entryByKey(mapping, key);
  if (statement === undefined) return undefined;
  const [row] = await session.query<statements.EntryRow>(statement);
  return row === undefined ? undefined : toEarlier(row);
}

function toEarlier(row: statements.EntryRow): EarlierEntry {
  return {
    ...row,
    amount: wholeCoins(row.amount),
    balanceAfter: row.balanceAfter === null ? null : wholeCoins(row.balanceAfter),
  };
}

function checkRequest(mapping: ResolvedMapping, request: PostRequest): void {
  if ((request.walletId === undefined) === (request.userId === undefined)) {
    throw new TrueupError('invalid_argument', 'a posting names either walletId or userId');
  }
  if (request.reason.trim() === '') {
    throw new TrueupError('invalid_argument', 'a posting needs a reason');
  }
  if (request.idempotencyKey === '') {
    throw new TrueupError('invalid_argument', 'an idempotency key cannot be empty');
  }
  const { ledger } = mapping;
  for (const role of ['note', 'metadata', 'actor', 'idempotencyKey'] as const) {
    if (request[role] !== undefined && ledger[role] === undefined) {
      throw new TrueupError('feature_off', `the mapping names no ledger.${role}`, {
        hint: `Name a column of ${ledger.table.quoted} for ledger.${role}, or leave it out.`,
      });
    }
  }
}

/** An adopted ledger may demand columns that the mapping does not name: say which. */
function explain(mapping: ResolvedMapping, error: unknown): unknown {
  if (sqlStateOf(error) !== '23502' || !(error instanceof TrueupError)) return error;
  return new TrueupError(
    'feature_off',
    `${mapping.ledger.table.quoted} demands a column that the mapping does not name: ${error.message}`,
    { hint: 'Give the column a default, or name it in the mapping.', cause: error },
  );
}
