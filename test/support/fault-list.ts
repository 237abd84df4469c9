import type { TestDatabase } from './database.js';
import {
  applyByHand,
  failing,
  run,
  steps,
  switchSync,
  tamper,
  type Injection,
} from './injections.js';
import { namesOf, unseen, type Stage } from './stages.js';

/** What can go wrong, one row of docs/faults.md each; what passes by is in bypass-faults.ts. */

export interface Fault {
  readonly name: string;
  readonly inject: Injection['inject'];
  /** Where it has to be played, if not where the others are. */
  readonly database?: TestDatabase;
  /** The stage as it is for somebody else, who looks afterwards. */
  readonly seenBy?: (stage: Stage) => Promise<Stage>;
  /** Takes back what the next stage would not sweep away. */
  readonly undo?: (stage: Stage) => Promise<void>;
}

export const onWallet =
  (change: (names: Readonly<Record<string, string>>) => string): Injection['inject'] =>
  (stage) =>
    stage.db.run(
      `UPDATE ${namesOf(stage)['wallet'] ?? ''} SET ${change(namesOf(stage))} WHERE id = ${stage.walletId}`,
    );

export const onLedger = (
  text: (names: Readonly<Record<string, string>>, stage: Stage) => string,
): Injection['inject'] => run((stage) => text(namesOf(stage), stage));

export const where = (stage: Stage, amount: number): string =>
  `${namesOf(stage)['entryWallet'] ?? ''} = ${stage.walletId} AND ${namesOf(stage)['amount'] ?? ''} = ${String(amount)}`;

export const FAULTS: readonly Fault[] = [
  { name: 'a writer of entries that knows no cache', inject: run((stage) => stage.entry(101)) },
  { name: 'a profile that cannot take the new value', inject: run((stage) => failing(stage, 601)) },
  {
    name: 'entries in a session with `session_replication_role = replica`',
    inject: run((stage) => unseen(stage.entry(701))),
  },
  {
    name: 'entries while the triggers are disabled',
    inject: steps(
      run((stage) => switchSync(stage, 'DISABLE')),
      run((stage) => stage.entry(907)),
    ),
  },
  {
    name: 'entries after the triggers were dropped',
    inject: steps(
      onLedger(({ ledger = '' }) => `DROP TRIGGER trueup_sync ON ${ledger}`),
      run((stage) => stage.entry(907)),
    ),
  },
  {
    name: 'triggers disabled and enabled again',
    inject: steps(
      run((stage) => switchSync(stage, 'DISABLE')),
      run((stage) => stage.entry(907)),
      run((stage) => switchSync(stage, 'ENABLE')),
    ),
  },
  {
    name: 'an entry is edited',
    inject: onLedger(
      ({ ledger = '', amount = '' }, stage) =>
        `UPDATE ${ledger} SET ${amount} = 1499 WHERE ${where(stage, 2003)}`,
    ),
  },
  {
    name: 'an entry is edited in a session with `session_replication_role = replica`',
    inject: onLedger(({ ledger = '', amount = '' }, stage) =>
      unseen(`UPDATE ${ledger} SET ${amount} = 1499 WHERE ${where(stage, 2003)}`),
    ),
  },
  {
    name: 'an entry is edited after append-only was switched off',
    inject: onLedger(({ ledger = '', amount = '' }, stage) =>
      tamper(stage, `UPDATE ${ledger} SET ${amount} = 1499 WHERE ${where(stage, 2003)}`),
    ),
  },
  {
    name: 'an entry is deleted',
    inject: onLedger(
      ({ ledger = '' }, stage) => `DELETE FROM ${ledger} WHERE ${where(stage, 2003)}`,
    ),
  },
  {
    name: 'the last entry is deleted',
    inject: onLedger(
      ({ ledger = '' }, stage) => `DELETE FROM ${ledger} WHERE ${where(stage, -811)}`,
    ),
  },
  { name: 'the ledger is truncated', inject: onLedger(({ ledger = '' }) => `TRUNCATE ${ledger}`) },
  {
    name: 'somebody writes the balance of a wallet',
    inject: onWallet(({ balance = '' }) => `${balance} = ${balance} + 17`),
  },
  {
    name: 'somebody writes what a profile shows',
    inject: run(
      (stage) =>
        `UPDATE ${namesOf(stage)['profile'] ?? ''} SET ${namesOf(stage)['shown'] ?? ''} = 0 WHERE id = ${stage.profileId}`,
    ),
  },
  {
    name: 'an application puts a stale row back',
    inject: async (stage: Stage): Promise<void> => {
      const { wallet = '', balance = '' } = namesOf(stage);
      const old = await stage.db.value(`SELECT ${balance}::text FROM ${wallet} WHERE id = $1`, [
        stage.walletId,
      ]);
      await stage.db.run(stage.entry(101));
      await stage.db.run(`UPDATE ${wallet} SET ${balance} = ${old} WHERE id = ${stage.walletId}`);
    },
  },
  {
    name: 'an application adds what the trigger adds too',
    inject: steps(
      run((stage) => stage.entry(809)),
      run((stage) => applyByHand(stage, 809)),
    ),
  },
  {
    name: 'a profile is deleted',
    inject: run((stage) =>
      unseen(`DELETE FROM ${namesOf(stage)['profile'] ?? ''} WHERE id = ${stage.profileId}`),
    ),
  },
];
