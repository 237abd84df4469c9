import { possibleId } from '../../mapping/ids.js';
import type { Column, ResolvedMapping } from '../../mapping/model.js';
import { chainOf } from './expressions.js';

/**
 * The order in which the entries of one wallet stand, and how a place in it is written down. The
 * columns of an order are never null, and together they differ for every two entries.
 */
export type Order = readonly Column[];

/** The text of each column of an order, for one entry. */
export type Position = readonly string[];

/**
 * By number where the ledger has numbers; else by id. Ids that do not grow (uuid, text) say nothing
 * about the order: there time comes first.
 */
export function orderOf(mapping: ResolvedMapping): Order {
  const { sequence, createdAt, id } = mapping.ledger;
  const chain = chainOf(mapping);
  if (chain !== undefined) return [chain.sequence];
  if (sequence?.nullable === false) return [sequence, id];
  if (id.kind !== 'integer' && createdAt?.nullable === false) return [createdAt, id];
  return [id];
}

/** `seq DESC`. */
export function orderBy(order: Order, alias: string, direction: 'ASC' | 'DESC'): string {
  return order.map(({ quoted }) => `${alias}.${quoted} ${direction}`).join(', ');
}

/** The position of a row, as an array of texts. Times are microseconds: a Date would lose some. */
export function positionOf(order: Order, alias: string): string {
  const texts = order.map(({ kind, quoted }) =>
    kind === 'timestamp'
      ? `(extract(epoch FROM ${alias}.${quoted}) * 1000000)::bigint::text`
      : `${alias}.${quoted}::text`,
  );
  return `ARRAY[${texts.join(', ')}]`;
}

/** Rows before or behind a position, whose texts are bound as these parameters. */
export function compared(
  order: Order,
  alias: string,
  operator: '<' | '<=' | '>',
  parameters: readonly string[],
): string {
  const columns = order.map(({ quoted }) => `${alias}.${quoted}`).join(', ');
  const values = order.map((column, index) => bound(column, parameters[index] ?? '')).join(', ');
  return order.length === 1
    ? `${columns} ${operator} ${values}`
    : `(${columns}) ${operator} (${values})`;
}

function bound({ kind, baseType }: Column, parameter: string): string {
  if (kind !== 'timestamp') return `${parameter}::${baseType}`;
  return `(${baseType} 'epoch' + ${parameter}::bigint * interval '1 microsecond')`;
}

/** Microseconds that a double holds exactly, which is how PostgreSQL multiplies them. */
const MICROSECONDS = /^(0|-?[1-9][0-9]{0,15})$/;

/** Whether a position could be one of this order, so that its text can be cast. */
export function isPosition(order: Order, position: Position): boolean {
  return (
    position.length === order.length &&
    order.every((column, index) => {
      const value = position[index];
      return column.kind === 'timestamp'
        ? MICROSECONDS.test(value ?? '')
        : possibleId(column, value);
    })
  );
}
