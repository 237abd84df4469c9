import { RELATION_KINDS } from '../resolve.js';
import type { CatalogColumn, CatalogTable } from '../catalog.js';
import type { Role } from './roles.js';
import { LEFTOVER_WORDS, PAPER_WORDS, TABLE_WORDS, type PartName } from './roles.js';
import { BALANCE } from './wallet-roles.js';
import { likeness, wordsOf } from './words.js';

/** What speaks for or against a guess: points, and the reason in words. */
export interface Clue {
  /** Clues of two candidates with the same key are about the same thing. */
  readonly key: string;
  readonly points: number;
  readonly text: string;
}

/** A column that plays a part, and why. */
export interface Played {
  readonly role: string;
  readonly column: CatalogColumn;
  readonly points: number;
  readonly because: string;
}

/** A part that no column plays. */
export interface Unplayed {
  readonly role: string;
  readonly off: string;
  /** The columns that came near, and why they were not taken. */
  readonly because: readonly string[];
}

/** What was found for a role. */
export interface Found {
  readonly played: Played | undefined;
  readonly rejected: readonly string[];
}

/**
 * The column of a table that looks most like a role; of equals the first. Where the likeliest one is
 * generated, none: what it is computed from has another meaning, such as `credit` of a balance.
 */
export function findColumn(table: CatalogTable, role: Role, taken: ReadonlySet<string>): Found {
  const rejected: string[] = [];
  let best: Played | undefined;
  let computed = 0;
  for (const column of table.columns) {
    if (taken.has(column.name)) continue;
    const points = likeness(column.words, role);
    if (points < role.least) continue;
    const fault = faultOf(column, role);
    if (fault !== undefined) {
      // Every table has a "date" that is no timestamp; only what is nearly it is worth a word.
      if (points >= 7) rejected.push(`${column.quoted} ${fault}`);
      if (fault === GENERATED) computed = Math.max(computed, points);
    } else if (points > (best?.points ?? 0)) {
      const because = `${column.type}, its name says ${saying(column.words, role)}`;
      best = { role: role.role, column, points, because };
    }
  }
  return { played: computed > (best?.points ?? 0) ? undefined : best, rejected };
}

const GENERATED = 'is a generated column, which nobody can write';

function faultOf(column: CatalogColumn, role: Role): string | undefined {
  if (!column.readable) return 'cannot be read by this role';
  if (!role.kinds.includes(column.kind)) return `is ${column.type}, not ${role.kinds.join(' or ')}`;
  if (role.written === true && column.generated) return GENERATED;
  if (role.unique === true && !column.unique && column.uniqueWhere.length === 0) {
    return 'has no unique index of its own';
  }
  return undefined;
}

/** The phrase of a vocabulary that a name says best. */
function saying(words: readonly string[], { good, never }: Role): string {
  let best = { phrase: '', points: 0 };
  for (const [phrase, points] of good) {
    const found = likeness(words, { good: [[phrase, points]], never });
    if (found > best.points) best = { phrase, points: found };
  }
  return JSON.stringify(best.phrase);
}

/** What the name of a table says. */
export function nameClues(table: CatalogTable, part: PartName): Clue[] {
  const { words } = table;
  const squeezed = words.join('');
  const clues: Clue[] = [];
  const found = TABLE_WORDS[part]
    .filter(([word]) => words.includes(word) || (word.length >= 6 && squeezed.includes(word)))
    .sort(([, one], [, other]) => other - one);
  const [best] = found;
  if (best !== undefined) {
    clues.push({ key: 'name', points: best[1], text: `its name says "${best[0]}"` });
  }
  const everywhere = [...words, ...wordsOf(table.schema)];
  const leftover = LEFTOVER_WORDS.find((word) => everywhere.includes(word));
  if (leftover !== undefined) {
    clues.push({ key: 'leftover', points: -8, text: `its name says "${leftover}"` });
  }
  const paper = part === 'ledger' ? PAPER_WORDS.find((word) => words.includes(word)) : undefined;
  if (paper !== undefined) {
    clues.push({
      key: 'paper',
      points: -6,
      text: `its name says "${paper}", not a movement of coins`,
    });
  }
  return clues;
}

/** How much a table looks as if it held coins, at a glance. */
export function coinPoints(table: CatalogTable): number {
  const best = Math.max(0, ...table.columns.map(({ words }) => likeness(words, BALANCE)));
  const name = Math.max(
    ...(['wallet', 'profile'] as const).map((part) =>
      nameClues(table, part).reduce((total, { points }) => total + points, 0),
    ),
  );
  return best + name;
}

/** Why a relation can play no part at all. */
export function relationFault(table: CatalogTable): string | undefined {
  if (table.kind !== 'r' && table.kind !== 'p') {
    return `it is ${RELATION_KINDS[table.kind] ?? 'not a table'}`;
  }
  return table.readable ? undefined : 'this role may not read it (SELECT)';
}
