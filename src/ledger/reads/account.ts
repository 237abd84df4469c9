import { Readable } from 'node:stream';
import { wholeCoins } from '../../core/amount.js';
import { read, readOneOf, shape } from '../../core/arguments.js';
import type { WalletReference } from '../../core/posting/request.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database, Queryable, Statement } from '../../postgres/database.js';
import { checkReference, REFERENCE } from '../reference.js';
import { LINE_FORMATS, type EntryLine, type Line, type LineFormat } from './account-lines.js';
import { checkRange, RANGE, type TimeRange } from './arguments.js';
import { chainOf } from './expressions.js';
import { declareEntries, fetchEntries, type EntryRow, type Stretch } from './history-statements.js';
import * as moments from './moment-statements.js';
import type { Position } from './order.js';
import { inSnapshot } from './snapshot.js';
import { readStretch } from './stretch.js';
import { findWallet } from './wallet.js';

/** Statements of account: every entry of a wallet between two balances. */

/** Whose statement, about which time, and how it is written. */
export interface StatementRequest extends WalletReference, TimeRange {
  readonly format: 'csv' | 'json';
}

const STATEMENT = shape<StatementRequest>(
  'a statement',
  { ...REFERENCE, ...RANGE, format: readOneOf('csv', 'json') },
  ['format'],
);

/** Entries that are read at a time: all that a statement ever keeps in memory. */
const PAGE = 2_000;

/** How much text waits for the reader, in bytes, before the next page is asked for. */
const BUFFER = 65_536;

interface Account extends TimeRange {
  readonly walletId: string;
}

/**
 * A statement of account as a stream of UTF-8, oldest entry first, with the opening balance before
 * the entries and the closing balance behind them: opening + entries = closing.
 *
 * @returns the stream, once the wallet is found; it reads the ledger as fast as its reader does
 * @throws TrueupError `wallet_not_found`, `user_not_found`, `invalid_argument`, `feature_off` (times
 *   need ledger.createdAt); what the database refuses later ends the stream with an error
 */
export async function openStatement(
  database: Database,
  mapping: ResolvedMapping,
  request: StatementRequest,
): Promise<Readable> {
  const asked = checkReference(mapping, read(STATEMENT, request), 'a statement');
  const { format, from, to } = asked;
  checkRange(mapping, asked);
  const owner = await findWallet(database, mapping, asked);
  const account = { walletId: owner.walletId, from, to };
  const pages =
    chainOf(mapping) === undefined
      ? inSnapshot(database, (session) => addedUp(session, mapping, account))
      : numbered(database, mapping, account);
  return Readable.from(toText(pages, LINE_FORMATS[format](owner)), {
    objectMode: false,
    highWaterMark: BUFFER,
  });
}

async function* toText(
  pages: AsyncGenerator<readonly Line[]>,
  { head, write }: LineFormat,
): AsyncGenerator<string> {
  if (head !== '') yield head;
  for await (const lines of pages) yield lines.map(write).join('');
}

/**
 * Of a numbered ledger. The numbers between the two balances are settled at the start, and what has
 * a number never changes: so each page is a statement of its own, and a reader who takes an hour
 * keeps no connection and no snapshot.
 */
async function* numbered(
  session: Queryable,
  mapping: ResolvedMapping,
  { walletId, from, to }: Account,
): AsyncGenerator<readonly Line[]> {
  // In this order: what the second one sees, committed meanwhile, can only lie behind the first.
  const opening = await boundAt(
    session,
    from === undefined ? undefined : moments.before(mapping, walletId, from.getTime()),
  );
  const closing = await boundAt(
    session,
    to === undefined
      ? moments.last(mapping, walletId)
      : moments.before(mapping, walletId, to.getTime()),
  );
  yield [{ type: 'opening', date: from ?? null, balance: opening.balance }];
  if (closing.position !== undefined) {
    const between = { walletId, beyond: opening.position, upTo: closing.position };
    for await (const rows of byNumber(session, mapping, between)) {
      yield rows.map((row) => toLine(row, wholeCoins(row.balanceAfter ?? '')));
    }
  }
  yield [{ type: 'closing', date: to ?? null, balance: closing.balance }];
}

/** A balance, and the entry that left it; undefined before the first. */
interface Bound {
  readonly balance: bigint;
  readonly position: Position | undefined;
}

async function boundAt(session: Queryable, statement: Statement | undefined): Promise<Bound> {
  const [row] = statement === undefined ? [] : await session.query<moments.MomentRow>(statement);
  if (row === undefined) return { balance: 0n, position: undefined };
  return {
    balance: wholeCoins(row.balance),
    position: row.sequence === null ? undefined : [row.sequence],
  };
}

/** Of a ledger without numbers: the balance is added up entry by entry, all of one snapshot. */
async function* addedUp(
  session: Queryable,
  mapping: ResolvedMapping,
  { walletId, from, to }: Account,
): AsyncGenerator<readonly Line[]> {
  const before = from === undefined ? undefined : moments.before(mapping, walletId, from.getTime());
  let { balance } = await boundAt(session, before);
  yield [{ type: 'opening', date: from ?? null, balance }];
  for await (const rows of byCursor(session, mapping, { walletId, from, to })) {
    yield rows.map((row) => {
      balance += wholeCoins(row.amount);
      return toLine(row, balance);
    });
  }
  yield [{ type: 'closing', date: to ?? null, balance }];
}

type Between = Omit<Stretch, 'order' | 'limit'>;

async function* byNumber(
  session: Queryable,
  mapping: ResolvedMapping,
  between: Between,
): AsyncGenerator<readonly EntryRow[]> {
  const all = { ...between, order: 'oldest', limit: PAGE, withoutMetadata: true } as const;
  let { beyond } = between;
  for (;;) {
    const rows = await readStretch(session, mapping, { ...all, beyond });
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE) return;
    beyond = rows.at(-1)?.position;
  }
}

async function* byCursor(
  session: Queryable,
  mapping: ResolvedMapping,
  between: Between,
): AsyncGenerator<readonly EntryRow[]> {
  const all = { ...between, order: 'oldest', withoutMetadata: true } as const;
  await session.query(declareEntries(mapping, all));
  for (;;) {
    const rows = await session.query<EntryRow>(fetchEntries(PAGE));
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE) return;
  }
}

function toLine(row: EntryRow, balance: bigint): EntryLine {
  return {
    type: 'entry',
    date: row.createdAt === null ? null : new Date(row.createdAt),
    amount: wholeCoins(row.amount),
    balance,
    reason: row.reason,
    note: row.note,
    entryId: row.entryId,
  };
}
