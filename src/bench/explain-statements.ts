import type { Statement } from '../postgres/database.js';

/** What the scenario `explain` does to one wallet, and what it is held against. */

/** Makes the running balance depart in the middle of a wallet's history: the longest story there is. */
export function breakChain(walletId: string): string[] {
  const condition = `wallet_id = ${walletId} AND seq = (SELECT count(*) / 2 FROM trueup.entries WHERE wallet_id = ${walletId})`;
  return [
    'ALTER TABLE trueup.entries DISABLE TRIGGER trueup_append_only',
    `UPDATE trueup.entries SET balance_after = balance_after + 1 WHERE ${condition}`,
    'ALTER TABLE trueup.entries ENABLE ALWAYS TRIGGER trueup_append_only',
  ];
}

/** The least that has to be read: the sum of the wallet's entries. */
export function sumOfEntries(walletId: string): Statement {
  return {
    text: 'SELECT sum(amount), count(*) FROM trueup.entries WHERE wallet_id = $1',
    values: [walletId],
  };
}
