import type { Cause } from '../../src/index.js';
import { noticeGaps } from '../../src/sync/gaps.js';
import { clientQueryable } from '../../src/postgres/database.js';
import { namesOf, unseen, type Stage } from './stages.js';

/** One fault for each cause, and more than one where a cause has several faces. */
export interface Injection {
  /** The cause that every finding must name. */
  readonly cause: Cause;
  readonly inject: (stage: Stage) => Promise<void>;
  /** The stage has what the fault is about. */
  readonly possible?: (stage: Stage) => boolean;
}

/** What guard wrote down of one write. */
export function recorded(
  stage: Stage,
  part: 'wallet' | 'profile',
  field: string,
  values: readonly [string, string],
): string {
  const row = part === 'wallet' ? stage.walletId : stage.profileId;
  return `INSERT INTO trueup.cache_writes (ledger, part, row_id, field, old_value, new_value, action, role, application_name)
          VALUES ('${stage.trueup.mapping.ledger.table.quoted}', '${part}', '${row}', '${field}', ${values[0]}, ${values[1]}, 'recorded', 'django', 'gunicorn')`;
}

/** Adds to caches without being seen, and has it recorded as the guard would. */
export function writeByHand(stage: Stage, amount: number, note = true): string {
  const n = namesOf(stage);
  const { walletId } = stage;
  const old = `(SELECT ${n['balance'] ?? ''}::text FROM ${n['wallet'] ?? ''} WHERE id = ${walletId})`;
  const now = `(SELECT (${n['balance'] ?? ''} + ${String(amount)})::text FROM ${n['wallet'] ?? ''} WHERE id = ${walletId})`;
  const update = `UPDATE ${n['wallet'] ?? ''} SET ${n['balance'] ?? ''} = ${n['balance'] ?? ''} + ${String(amount)} WHERE id = ${walletId}`;
  return note ? `${recorded(stage, 'wallet', 'balance', [old, now])}; ${update}` : update;
}

/** Applies an amount to all four caches, as an application's own arithmetic does. */
export function applyByHand(stage: Stage, amount: number): string {
  const n = namesOf(stage);
  const earned = Math.max(amount, 0);
  return `UPDATE ${n['wallet'] ?? ''} SET ${n['balance'] ?? ''} = ${n['balance'] ?? ''} + ${String(amount)}, ${n['earned'] ?? ''} = ${n['earned'] ?? ''} + ${String(earned)}
           WHERE id = ${stage.walletId};
          UPDATE ${n['profile'] ?? ''} SET ${n['shown'] ?? ''} = ${n['shown'] ?? ''} + ${String(amount)}, ${n['shownEarned'] ?? ''} = ${n['shownEarned'] ?? ''} + ${String(earned)}
           WHERE id = ${stage.profileId}`;
}

/** A trigger of the application's own on the ledger, as is left there from the time before the sync. */
function addingTrigger(stage: Stage, update: string): string {
  return `CREATE FUNCTION public.add_too() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ${update}; RETURN NULL; END';
          CREATE TRIGGER add_too AFTER INSERT ON ${namesOf(stage)['ledger'] ?? ''} FOR EACH ROW EXECUTE FUNCTION public.add_too()`;
}

/** An entry whose profile cannot follow. */
export function failing(stage: Stage, amount: number): string {
  const { profile = '' } = namesOf(stage);
  return `ALTER TABLE ${profile} ADD CONSTRAINT nothing_goes CHECK (false) NOT VALID; ${stage.entry(amount)};
          ALTER TABLE ${profile} DROP CONSTRAINT nothing_goes`;
}

/** Changes the ledger, append-only or not. */
export function tamper(stage: Stage, text: string): string {
  const { ledger = '' } = namesOf(stage);
  return ledger.includes('trueup')
    ? `ALTER TABLE ${ledger} DISABLE TRIGGER trueup_append_only; ${text}; ALTER TABLE ${ledger} ENABLE ALWAYS TRIGGER trueup_append_only`
    : text;
}

export function switchSync(stage: Stage, to: 'DISABLE' | 'ENABLE'): string {
  return `ALTER TABLE ${namesOf(stage)['ledger'] ?? ''} ${to} TRIGGER trueup_sync`;
}

/** The entry at a place of the wallet's history, by its amount. */
function at(stage: Stage, amount: number): string {
  const n = namesOf(stage);
  return `${n['entryWallet'] ?? ''} = ${stage.walletId} AND ${n['amount'] ?? ''} = ${String(amount)}`;
}

export async function look(stage: Stage): Promise<void> {
  const client = await stage.db.connect();
  await noticeGaps(clientQueryable(client), stage.trueup.mapping);
  await client.end();
}

/** A step of one fault: SQL text for a stage. */
export const run =
  (text: (stage: Stage) => string): Injection['inject'] =>
  (stage) =>
    stage.db.run(text(stage));

/** Several steps, each in a transaction of its own. */
export const steps =
  (...all: readonly Injection['inject'][]): Injection['inject'] =>
  async (stage) => {
    for (const step of all) await step(stage);
  };

/** Nothing was ever verified or repaired: only the installation is on record. */
export const forget = run(
  () => 'UPDATE trueup.sync_installations SET verified_at = NULL; TRUNCATE trueup.repairs',
);

const holdKept = (stage: Stage): boolean =>
  stage.trueup.mapping.wallet.pendingBalance !== undefined;

export const INJECTIONS: Readonly<Record<string, Injection>> = {
  'a profile could not follow an entry': {
    cause: 'sync_failed',
    inject: run((stage) => failing(stage, 601)),
  },
  'a profile could not follow a debit': {
    cause: 'sync_failed',
    inject: run((stage) => failing(stage, -67)),
  },
  'an entry from a session without triggers': {
    cause: 'entry_missed',
    inject: run((stage) => unseen(stage.entry(701))),
  },
  'a debit from a session without triggers': {
    cause: 'entry_missed',
    inject: run((stage) => unseen(stage.entry(-71))),
  },
  'two entries of one such transaction, and later ones that were followed': {
    cause: 'entry_missed',
    inject: run((stage) =>
      [unseen(`${stage.entry(701)}; ${stage.entry(-93)}`), stage.entry(11), stage.entry(5)].join(
        ';',
      ),
    ),
  },
  'triggers off and on again, and nobody noticed': {
    cause: 'entry_missed',
    inject: steps(
      run((stage) => switchSync(stage, 'DISABLE')),
      run((stage) => stage.entry(907)),
      run((stage) => switchSync(stage, 'ENABLE')),
    ),
  },
  'an application that adds what the sync adds too': {
    cause: 'entry_applied_twice',
    inject: run((stage) => `${stage.entry(809)}; ${unseen(applyByHand(stage, 809))}`),
  },
  "a trigger of the application that adds to the wallet's balance too": {
    cause: 'entry_applied_twice',
    inject: run((stage) => {
      const { wallet = '', balance = '', entryWallet = '' } = namesOf(stage);
      const update = `UPDATE ${wallet} SET ${balance} = ${balance} + NEW.${namesOf(stage)['amount'] ?? ''} WHERE id = NEW.${entryWallet}`;
      return [
        addingTrigger(stage, update),
        stage.entry(809),
        stage.entry(5),
        stage.entry(-83),
      ].join(';');
    }),
  },
  'a trigger of the application that adds to the balance of the profile too': {
    cause: 'entry_applied_twice',
    inject: run((stage) => {
      const { profile = '', shown = '', amount = '' } = namesOf(stage);
      const update = `UPDATE ${profile} SET ${shown} = ${shown} + NEW.${amount} WHERE id = ${stage.profileId}`;
      const entries = Array.from({ length: 12 }, (_, n) => stage.entry(809 + n * n));
      return [addingTrigger(stage, update), ...entries].join(';');
    }),
  },
  'a trigger of the application that adds to the earnings alone': {
    cause: 'entry_applied_twice',
    inject: run((stage) => {
      const { wallet = '', earned = '', entryWallet = '', amount = '' } = namesOf(stage);
      const update = `UPDATE ${wallet} SET ${earned} = ${earned} + greatest(NEW.${amount}, 0) WHERE id = NEW.${entryWallet}`;
      return [addingTrigger(stage, update), stage.entry(809), stage.entry(-83)].join(';');
    }),
  },
  'a trigger of the application that adds an amount of its own': {
    cause: 'unknown',
    inject: run((stage) => {
      const { wallet = '', balance = '', entryWallet = '' } = namesOf(stage);
      const update = `UPDATE ${wallet} SET ${balance} = ${balance} + 7 WHERE id = NEW.${entryWallet}`;
      return [addingTrigger(stage, update), stage.entry(809)].join(';');
    }),
  },
  'a debit taken twice': {
    cause: 'entry_applied_twice',
    inject: run((stage) => `${stage.entry(-83)}; ${unseen(applyByHand(stage, -83))}`),
  },
  'a write that the guard recorded': {
    cause: 'direct_write',
    inject: run((stage) => unseen(writeByHand(stage, 17))),
  },
  'several recorded writes': {
    cause: 'direct_write',
    inject: run(
      (stage) => `${unseen(writeByHand(stage, -17))}; ${unseen(writeByHand(stage, 1009))}`,
    ),
  },
  'triggers that are off right now': {
    cause: 'triggers_absent',
    inject: run(
      (stage) => `${switchSync(stage, 'DISABLE')}; ${stage.entry(907)}; ${stage.entry(-97)}`,
    ),
  },
  'triggers that were off for a while': {
    cause: 'triggers_absent',
    inject: steps(
      run((stage) => switchSync(stage, 'DISABLE')),
      run((stage) => stage.entry(907)),
      look,
      run((stage) => stage.entry(-97)),
      run((stage) => switchSync(stage, 'ENABLE')),
      look,
      run((stage) => stage.entry(7)),
    ),
  },
  'triggers that are gone': {
    cause: 'triggers_absent',
    inject: run(
      (stage) =>
        `DROP TRIGGER trueup_sync ON ${namesOf(stage)['ledger'] ?? ''}; ${stage.entry(907)}`,
    ),
  },
  'an entry that was edited': {
    cause: 'ledger_changed',
    inject: run((stage) => tamper(stage, editOf(stage, 2003, 1499))),
  },
  'a debit that was edited': {
    cause: 'ledger_changed',
    inject: run((stage) => tamper(stage, editOf(stage, -307, -331))),
  },
  'an entry that was deleted': {
    cause: 'ledger_changed',
    inject: run((stage) =>
      tamper(stage, `DELETE FROM ${namesOf(stage)['ledger'] ?? ''} WHERE ${at(stage, 2003)}`),
    ),
  },
  'a pending balance without a hold': {
    cause: 'hold_leaked',
    possible: holdKept,
    inject: steps(
      async ({ trueup, walletId }) => {
        await trueup.hold({ walletId, amount: 40, reason: 'purchase' });
      },
      run((stage) => {
        const { wallet = '', pending = '' } = namesOf(stage);
        return unseen(
          `UPDATE ${wallet} SET ${pending} = ${pending} + 29 WHERE id = ${stage.walletId}`,
        );
      }),
    ),
  },
  'a cache that was wrong when the sync came': {
    cause: 'before_adoption',
    inject: steps(
      forget,
      run((stage) => unseen(writeByHand(stage, 17, false))),
    ),
  },
  'coins without a history': {
    cause: 'no_history',
    inject: run((stage) => {
      const { wallet = '', balance = '' } = namesOf(stage);
      return unseen(`UPDATE ${wallet} SET ${balance} = 90 WHERE id = ${stage.emptyWalletId}`);
    }),
  },
  'a profile that is gone': {
    cause: 'profile_missing',
    inject: run((stage) =>
      unseen(`DELETE FROM ${namesOf(stage)['profile'] ?? ''} WHERE id = ${stage.profileId}`),
    ),
  },
  'a wallet that is gone, with its profile': {
    cause: 'wallet_missing',
    inject: run((stage) => {
      const { wallet = '', profile = '' } = namesOf(stage);
      const disable = wallet.includes('trueup')
        ? `ALTER TABLE ${wallet} DISABLE TRIGGER trueup_keep; `
        : '';
      const gone = `DELETE FROM ${wallet} WHERE id = ${stage.walletId}; DELETE FROM ${profile} WHERE id = ${stage.profileId}`;
      return `${disable}${unseen(gone)}`;
    }),
  },
  'a write that nobody saw': {
    cause: 'unknown',
    inject: run((stage) => unseen(writeByHand(stage, 17, false))),
  },
};

export function editOf(stage: Stage, from: number, to: number): string {
  const { ledger = '', amount = '' } = namesOf(stage);
  return `UPDATE ${ledger} SET ${amount} = ${String(to)} WHERE ${at(stage, from)}`;
}
