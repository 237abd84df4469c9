import { createHash } from 'node:crypto';
import { quoteIdentifier } from '../postgres/identifiers.js';

/** How the functions and triggers of a ledger are called. */

/** What belongs to one ledger, among several in a database: eight digits that its name makes. */
export function digestOf(ledger: string): string {
  return createHash('sha256').update(ledger).digest('hex').slice(0, 8);
}

/** The kinds of functions that a ledger can have in the schema `trueup`. */
const FUNCTIONS = ['sync', 'guard_wallet', 'guard_profile', 'protect'] as const;
export type FunctionKind = (typeof FUNCTIONS)[number];

/** The plain name of a function, as the catalog has it. */
export function functionName(kind: FunctionKind, ledger: string): string {
  return `${kind}_${digestOf(ledger)}`;
}

/** The plain names of every function that this ledger can have. */
export function functionNames(ledger: string): string[] {
  return FUNCTIONS.map((kind) => functionName(kind, ledger));
}

/** A function of the schema `trueup`, qualified and quoted. */
export function qualified(plainFunctionName: string): string {
  return `trueup.${quoteIdentifier(plainFunctionName)}`;
}

/**
 * The guard stands last among the BEFORE triggers of a table, which fire in the order of their names:
 * it sees what the others made of the row. Two economies may show in one profile table, each with
 * columns of its own, so the name tells the ledger.
 */
export function guardTriggerName(ledger: string): string {
  return `zz_trueup_guard_${digestOf(ledger)}`;
}
