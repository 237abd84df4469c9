import { sameColumns } from './fit.js';
import type { Activity, Column, Kind, ResolvedMapping } from './model.js';

/** Whether an application's activity table can take the events of a ledger. */

/** What the mapping names, once the catalog has confirmed it. */
export type NamedActivity = Omit<Activity, 'source' | 'deferredConstraints'>;

type Parts = Pick<ResolvedMapping, 'ledger' | 'wallet' | 'profile'>;

/** The types of events, as they stand in the activity table. */
export const EVENT_TYPES = { earned: 'coins_earned', spent: 'coins_spent' } as const;

const IDS: readonly Kind[] = ['integer', 'uuid', 'text'];

const ALLOWED: Readonly<Record<string, readonly Kind[]>> = {
  id: IDS,
  user: IDS,
  type: ['text'],
  sourceModel: ['text'],
  sourceId: IDS,
  metadata: ['json'],
  occurredAt: ['timestamp'],
  createdAt: ['timestamp'],
};

/**
 * Finds every reason why the table cannot take events.
 *
 * @param unfilled columns that nobody fills: not null, without default, not named
 */
export function checkActivity(
  activity: NamedActivity & { readonly source: string },
  parts: Parts,
  unfilled: readonly string[],
): string[] {
  return [
    ...checkPlace(activity, parts),
    ...checkColumns(activity),
    ...sameColumns('activity', rolesOf(activity)),
    ...checkEnds(activity, parts),
    ...checkWidths(activity),
    ...unfilled.map(
      (column) =>
        `activity.table: ${column} may not be null and has no default; name it, or give it a default`,
    ),
  ];
}

function checkPlace({ table }: NamedActivity, parts: Parts): string[] {
  const taken = Object.entries(parts).find(([, part]) => part.table.oid === table.oid);
  return taken === undefined ? [] : [`activity.table: it is the table of the part ${taken[0]}`];
}

function checkColumns(activity: NamedActivity): string[] {
  return Object.entries(ALLOWED).flatMap(([role, allowed]) => {
    const column = columnOf(activity, role);
    if (column === undefined) return [];
    const problems: string[] = [];
    if (!allowed.includes(column.kind)) {
      problems.push(
        `activity.${role}: ${column.quoted} is ${column.type}, not ${allowed.join(' or ')}`,
      );
    }
    if (column.generated) {
      problems.push(
        `activity.${role}: ${column.quoted} is a generated column, which nobody can write`,
      );
    }
    return problems;
  });
}

/** What an event refers to has to fit where it is written. */
function checkEnds(activity: NamedActivity, { ledger, profile }: Parts): string[] {
  const { user, sourceId, id } = activity;
  const problems: string[] = [];
  if (profile?.user === undefined) {
    problems.push('activity: it needs profile.user, which says whose event an entry is');
  } else if (profile.user.kind !== user.kind) {
    problems.push(
      `activity.user: ${user.quoted} is ${user.type}, while profile.user (${profile.user.quoted}) is ${profile.user.type}`,
    );
  }
  if (sourceId.kind !== 'text' && sourceId.kind !== ledger.id.kind) {
    problems.push(
      `activity.sourceId: ${sourceId.quoted} is ${sourceId.type}, while ledger.id (${ledger.id.quoted}) is ${ledger.id.type}`,
    );
  }
  if (id?.kind === 'integer' && !id.identity && id.defaultSql === null) {
    problems.push(
      `activity.id: ${id.quoted} has no default, and nobody else numbers the events; give it one`,
    );
  }
  return problems;
}

const BOUNDED = /\((\d+)\)$/;

/** Texts that every event has are looked at now; whatever else is too long becomes a recorded failure. */
function checkWidths({
  type,
  sourceModel,
  source,
}: NamedActivity & { readonly source: string }): string[] {
  const texts: readonly (readonly [string, Column | undefined, string])[] = [
    ['type', type, EVENT_TYPES.earned],
    ['sourceModel', sourceModel, source],
  ];
  return texts.flatMap(([role, column, text]) => {
    const most = Number(BOUNDED.exec(column?.type ?? '')?.[1] ?? Infinity);
    return text.length <= most
      ? []
      : [
          `activity.${role}: ${column?.quoted ?? ''} is ${column?.type ?? ''}, too short for '${text}'`,
        ];
  });
}

function rolesOf(activity: NamedActivity): Readonly<Record<string, Column | undefined>> {
  return Object.fromEntries(Object.keys(ALLOWED).map((role) => [role, columnOf(activity, role)]));
}

function columnOf(activity: NamedActivity, role: string): Column | undefined {
  return (activity as unknown as Readonly<Record<string, Column | undefined>>)[role];
}
