import { TrueupError } from '../core/errors.js';
import type { ResolvedMapping } from '../mapping/model.js';
import { sqlStateOf, toTrueupError } from '../postgres/failures.js';
import { ENTRIES_DROPPED } from './write-statements.js';

/** What an application may have done to its ledger that postings meet: say what, and what to do. */
export function explainFailure(mapping: ResolvedMapping, error: unknown): TrueupError {
  const known = toTrueupError(error);
  if (known.message.includes(ENTRIES_DROPPED)) {
    return new TrueupError('database_failed', 'the ledger did not take every entry', {
      hint: `A trigger or a rule of the application on ${mapping.ledger.table.quoted} drops entries.`,
      cause: error,
    });
  }
  if (sqlStateOf(error) === '22001') {
    return new TrueupError(
      'invalid_argument',
      `a text is too long for its column: ${known.message}`,
      {
        hint: 'Shorten it, or widen the column of the ledger.',
        cause: error,
      },
    );
  }
  if (sqlStateOf(error) !== '23502') return known;
  return new TrueupError(
    'feature_off',
    `${mapping.ledger.table.quoted} demands a column that the mapping does not name: ${known.message}`,
    { hint: 'Give the column a default, or name it in the mapping.', cause: error },
  );
}
