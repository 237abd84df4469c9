import { expect, test } from 'vitest';
import { TrueupError } from '../../src/index.js';
import { loadMapping } from '../../src/mapping/load.js';

/** Mapping files of a wrong shape: the message names the place, what belongs there, and what is there. */

const ledger = { table: 'entry', id: 'id', wallet: 'wallet_id', amount: 'amount' };
const wallet = { table: 'wallet', id: 'id', balance: 'balance' };
const NAME = 'the name of a column, as text, is expected, not';
const OBJECT = 'an object that names a table and its columns is expected, not';

/** The words behind `the mapping is not a mapping: `. */
function complaint(config: unknown): string {
  try {
    loadMapping(config as never);
  } catch (error) {
    if (!(error instanceof TrueupError)) throw error;
    expect(error.code).toBe('config_invalid');
    expect(error.message).not.toMatch(/Invalid|expected \w+,|received|undefined|\[object/);
    return error.message.replace(/^.* is not a mapping: /, '');
  }
  throw new Error('it was taken');
}

test.each<[unknown, string]>([
  [[], 'it: an object with the parts ledger and wallet is expected, not a list'],
  [{}, 'ledger is missing; wallet is missing'],
  [{ ledger: null, wallet }, `ledger: ${OBJECT} null`],
  [{ ledger: [ledger], wallet }, `ledger: ${OBJECT} a list`],
  [{ ledger: 'entry', wallet }, `ledger: ${OBJECT} the text "entry"`],
  [{ ledger: true, wallet }, `ledger: ${OBJECT} true`],
  [{ ledger, wallet: 7 }, `wallet: ${OBJECT} the number 7`],
  [{ ledger: { ...ledger, amount: 5 }, wallet }, `ledger.amount: ${NAME} the number 5`],
  [{ ledger: { ...ledger, amount: ['a'] }, wallet }, `ledger.amount: ${NAME} a list`],
  [{ ledger: { ...ledger, amount: { name: 'a' } }, wallet }, `ledger.amount: ${NAME} an object`],
  [{ ledger: { ...ledger, reason: null }, wallet }, `ledger.reason: ${NAME} null`],
  [{ ledger: { ...ledger, reason: false }, wallet }, `ledger.reason: ${NAME} false`],
  [
    { ledger: { ...ledger, table: 1 }, wallet: { ...wallet, id: '' } },
    'ledger.table: the name of a table, as text, is expected, not the number 1; ' +
      'wallet.id: the name of a column, as text, is expected, and it is empty',
  ],
  [{ ledger, wallet, profile: null }, `profile: ${OBJECT} null`],
  [
    { ledger, wallet, reasons: [] },
    'reasons: an object that has a reason under each name is expected, not a list',
  ],
  [
    { reasons: 'bonus' },
    'reasons: an object that has a reason under each name is expected, not the text "bonus"',
  ],
  [
    { ledger, wallet, reasons: { bonus: true } },
    'reasons.bonus: an object with earns, allows or actors is expected, not true',
  ],
  [
    { ledger, wallet, reasons: { bonus: { earns: 'no' } } },
    'reasons.bonus.earns: true or false is expected, not the text "no"',
  ],
  [
    { ledger, wallet, reasons: { bonus: { allows: 'all' } } },
    'reasons.bonus.allows: one of "credit", "debit", "both" is expected, not the text "all"',
  ],
  [
    { ledger, wallet, reasons: { bonus: { actors: 'admin' } } },
    'reasons.bonus.actors: a list of names is expected, not the text "admin"',
  ],
  [
    { ledger, wallet, reasons: { bonus: { actors: [1] } } },
    'reasons.bonus.actors.0: a name, as text, is expected, not the number 1',
  ],
  [{ ledger, wallet, reasons: { '': {} } }, 'reasons: a name is empty'],
  [
    { ledger, wallet, activity: { table: 'a', user: 'u', type: 't', sourceId: 's', source: 1 } },
    'activity.source: a text is expected, not the number 1',
  ],
  [
    { ledger: { ...ledger, amout: 'x' }, wallet, profil: {} },
    'ledger.amout is not known; profil is not known',
  ],
])('%j', (config, expected) => {
  expect(complaint(config)).toBe(expected);
});
