import { csvNumber, csvText } from '../../core/csv.js';

/** A statement of account as text: CSV, or JSON Lines. */

/** The balance before the first entry, or after the last. */
export interface BalanceLine {
  readonly type: 'opening' | 'closing';
  /** From when, or before when; null: from the beginning, or to the present. */
  readonly date: Date | null;
  readonly balance: bigint;
}

/** One entry. */
export interface EntryLine {
  readonly type: 'entry';
  /** null: the ledger records no times. */
  readonly date: Date | null;
  readonly amount: bigint;
  readonly balance: bigint;
  readonly reason: string | null;
  readonly note: string | null;
  readonly entryId: string;
}

export type Line = BalanceLine | EntryLine;

/** Whose statement it is. */
export interface Owner {
  readonly walletId: string;
  readonly currency: string | null;
}

/** Makes text of lines. */
export interface LineFormat {
  /** What stands before the first line. */
  readonly head: string;
  /** One line with its end. */
  readonly write: (line: Line) => string;
}

/** What a statement can be written as. */
export const LINE_FORMATS: Readonly<Record<'csv' | 'json', (owner: Owner) => LineFormat>> = {
  csv: () => ({
    head: 'date,type,amount,balance_after,reason,note,entry_id\n',
    write: csvLine,
  }),
  json: (owner) => ({ head: '', write: (line) => `${JSON.stringify(jsonLine(line, owner))}\n` }),
};

function jsonLine(line: Line, { walletId, currency }: Owner): object {
  const { type, balance } = line;
  const date = line.date?.toISOString() ?? null;
  if (type !== 'entry') return { type, walletId, currency, date, balance: balance.toString() };
  return {
    type,
    date,
    amount: line.amount.toString(),
    balanceAfter: balance.toString(),
    reason: line.reason,
    note: line.note,
    entryId: line.entryId,
  };
}

function csvLine(line: Line): string {
  const date = line.date?.toISOString() ?? '';
  const fields =
    line.type === 'entry'
      ? [
          date,
          line.type,
          line.amount.toString(),
          line.balance.toString(),
          csvText(line.reason),
          csvText(line.note),
          csvNumber(line.entryId),
        ]
      : [date, line.type, '', line.balance.toString(), '', '', ''];
  return `${fields.join(',')}\n`;
}
