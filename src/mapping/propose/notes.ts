import { splitTableName } from '../../postgres/identifiers.js';
import type { CatalogTable } from '../catalog.js';
import type { Mapping } from '../schema.js';
import type { Choice } from './fitting.js';

/** What a person should know of a proposal before accepting it. */

/** Below this, names or keys leave much open. */
const SURE_SCORE = 38;

/** Notes on a proposal, the weightiest first. */
export function notesOn({ pair, profile, fitted, activity }: Choice): string[] {
  const { ledger, wallet } = pair;
  const tables = [
    ledger.table,
    wallet.table,
    ...(profile === undefined || fitted.profile === undefined ? [] : [profile.profile.table]),
    ...(activity === undefined ? [] : [activity.table]),
  ];
  const notes: string[] = [];
  if (pair.score < SURE_SCORE) {
    notes.push('little speaks for this guess: read it before you accept it');
  }
  for (const table of tables.filter(({ rowsHidden }) => rowsHidden)) {
    notes.push(
      `row-level security keeps rows of ${table.quoted} from this role: check with a role that sees all of them`,
    );
  }
  const lost = fitted.dropped.get('profile');
  if (lost !== undefined) notes.push(`the profile part was left out: ${lost}`);
  if (profile === undefined) notes.push('no profile is kept: users cannot be named (--user-id)');
  if (fitted.profile !== undefined && fitted.sharedProfilesPossible) {
    notes.push(
      'no unique index promises that a profile has one wallet: reconcile and sync install look',
    );
  }
  const amount = fitted.ledger.find(({ role }) => role === 'amount')?.column;
  if (amount !== undefined && amount.scale > 0) {
    notes.push(
      `amounts are ${amount.type}: fractions are followed and compared exactly, but Trueup's own verbs post whole coins only`,
    );
  }
  const unfilled = notFilled(ledger.table, new Set(fitted.ledger.map(({ column }) => column.name)));
  if (unfilled.length > 0) {
    notes.push(
      `${unfilled.join(', ')} of the ledger must be given and has no default: name it in the mapping ` +
        `(ledger.note, actor, metadata, ...) if Trueup itself is to post`,
    );
  }
  return notes;
}

/** Columns that every INSERT has to give, and that the mapping does not name. */
function notFilled(table: CatalogTable, named: ReadonlySet<string>): string[] {
  return table.columns
    .filter(
      ({ name, nullable, generated, defaultSql, identity }) =>
        !nullable && !generated && !identity && defaultSql === null && !named.has(name),
    )
    .map(({ quoted }) => quoted);
}

/** What it means that a mapping names an activity table: Trueup writes into it. */
export function activityNotes({ activity, ledger }: Mapping): string[] {
  if (activity === undefined) return [];
  return [
    `once the sync is installed, each entry is written into ${activity.table} as an event (coins_earned, ` +
      `coins_spent) from '${splitTableName(ledger.table).table}': take the part activity out if that is not ` +
      `wanted. If the application writes such events itself, give the name that it uses as activity.source, ` +
      `or they are there twice`,
  ];
}
