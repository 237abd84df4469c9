import { checkActivity, EVENT_TYPES, type NamedActivity } from '../activity.js';
import type { Catalog, CatalogColumn, CatalogTable } from '../catalog.js';
import { EVENT_ROLES, EVENT_TYPE, SOURCE_ID } from './activity-roles.js';
import { sum, type Rejected } from './candidates.js';
import { findColumn, nameClues, relationFault, type Clue, type Played } from './columns.js';
import { toParts, type Choice } from './fitting.js';
import { keyOf, type Links, type Place } from './links.js';
import { foreignColumns, idPlayed, play, type Shape } from './shapes.js';
import { likeness } from './words.js';
import { USER } from './wallet-roles.js';

/**
 * The table in which an application keeps what its users did. Trueup would write into it, so a guess is
 * made only where nothing is open: its name says what it is, it names the users of the profiles, the
 * type and the source of an event, and an event can be written without anything else.
 */

/** What was found: the likeliest table that can take events, and likelier ones that cannot. */
export interface FoundActivity {
  readonly shape: Shape | undefined;
  readonly rejected: readonly Rejected[];
}

/** Less than this is any table with an id and a type in it. */
const LEAST_NAME_POINTS = 3;

/** Where a thousand tables look like one of events, so many are looked at more closely. */
const MOST_LOOKED_AT = 20;

/** Looks for the activity table of one choice after the other; what a table is by itself is kept. */
export class Activities {
  readonly #links: Links;
  readonly #tables: readonly EventTable[];
  readonly #shapes = new Map<string, Shape>();

  constructor(catalog: Catalog, links: Links) {
    this.#links = links;
    this.#tables = catalog.flatMap((table) => eventTable(table) ?? []);
  }

  /** The activity table of the users whose profiles were chosen. */
  of(choice: Choice): FoundActivity {
    const { pair, profile, fitted } = choice;
    const user = fitted.profile?.find(({ role }) => role === 'user')?.column;
    if (profile === undefined || user === undefined) return { shape: undefined, rejected: [] };
    const users = { table: profile.profile.table, column: user };
    const others = [pair.ledger.table, pair.wallet.table, users.table];
    const shapes = this.#tables.flatMap((one) =>
      others.includes(one.table) ? [] : (this.#shape(one, users) ?? []),
    );
    // Sorting is stable: of equals the first by name.
    const likeliest = shapes
      .map((shape) => ({ shape, score: sum(shape.clues) }))
      .sort((one, other) => other.score - one.score)
      .slice(0, MOST_LOOKED_AT);
    const rejected: Rejected[] = [];
    for (const { shape, score } of likeliest) {
      const why = faultOf(shape, choice);
      if (why === undefined) return { shape, rejected };
      rejected.push({ part: 'activity', table: shape.table, why, score });
    }
    return { shape: undefined, rejected };
  }

  #shape(one: EventTable, users: Place): Shape | undefined {
    const user = userOf(one, this.#links, users);
    if (user === undefined) return undefined;
    const memo = `${one.table.oid} ${user.column.name}`;
    const shape = this.#shapes.get(memo) ?? shapeOf(one, user);
    this.#shapes.set(memo, shape);
    const because = `names the same user as ${users.column.quoted} of ${users.table.quoted}`;
    const played = shape.played.map((each) => (each.role === 'user' ? { ...each, because } : each));
    return { ...shape, played };
  }
}

/** A table that says of itself that it is one of events. */
interface EventTable {
  readonly table: CatalogTable;
  readonly named: readonly Clue[];
  readonly type: Played;
  /** What may name users, the likeliest first. */
  readonly users: readonly CatalogColumn[];
}

function eventTable(table: CatalogTable): EventTable | undefined {
  const named = nameClues(table, 'activity');
  if (sum(named) < LEAST_NAME_POINTS) return undefined;
  const type = findColumn(table, EVENT_TYPE, foreignColumns(table)).played;
  if (type === undefined) return undefined;
  const users = table.columns
    .map((column) => ({ column, points: likeness(column.words, USER) }))
    .filter(({ points }) => points >= USER.least)
    .sort((one, other) => other.points - one.points)
    .map(({ column }) => column);
  return { table, named, type, users };
}

function shapeOf({ table, named, type }: EventTable, user: Played): Shape {
  const key = keyOf(table);
  const taken = foreignColumns(table).add(user.column.name).add(type.column.name);
  const rest = play(table, [SOURCE_ID, ...EVENT_ROLES], taken.add(key?.name ?? ''));
  return {
    part: 'activity',
    table,
    played: [...idToGive(key), user, type, ...rest.played],
    unplayed: rest.unplayed.filter(({ role }) => role !== SOURCE_ID.role),
    clues: [...named, ...rest.clues],
    fault: undefined,
  };
}

/** The column that names the same users as the profile does. */
function userOf({ table, users }: EventTable, links: Links, profiles: Place): Played | undefined {
  const column = users.find((one) => links.isSame({ table, column: one }, profiles));
  return column === undefined ? undefined : { role: 'user', column, points: 0, because: '' };
}

/** Only where the database does not fill it by itself. */
function idToGive(key: CatalogColumn | undefined): Played[] {
  return key === undefined || isFilled(key) ? [] : [idPlayed(key)];
}

function isFilled({ nullable, generated, identity, defaultSql }: CatalogColumn): boolean {
  return nullable || generated || identity || defaultSql !== null;
}

/** Why events cannot be written there. */
function faultOf({ table, played }: Shape, { pair, profile, fitted }: Choice): string | undefined {
  const columns = new Map(played.map(({ role, column }) => [role, column]));
  const fault = relationFault(table) ?? (columns.has('sourceId') ? undefined : noSource());
  if (fault !== undefined) return fault;
  const names = new Set(played.map(({ column }) => column.name));
  const unfilled = table.columns.filter((one) => !isFilled(one) && !names.has(one.name));
  const source = pair.ledger.table.name;
  const named = { table, ...Object.fromEntries(columns), source } as unknown as NamedActivity & {
    source: string;
  };
  const problems = [
    ...checkActivity(
      named,
      toParts(pair, profile, fitted),
      unfilled.map(({ quoted }) => quoted),
    ),
    ...refusedTexts(columns.get('type'), Object.values(EVENT_TYPES)),
    ...refusedTexts(columns.get('sourceModel'), [source]),
    ...narrowKeys(table, columns),
  ];
  return problems.length === 0 ? undefined : problems.join('; ');
}

function noSource(): string {
  return `no column says which entry an event is of (${SOURCE_ID.good[0]?.[0] ?? ''})`;
}

/** A condition that lists texts, and not these. */
function refusedTexts(column: CatalogColumn | undefined, texts: readonly string[]): string[] {
  if (column === undefined) return [];
  return column.conditions
    .filter((condition) => /'[^']/.test(condition))
    .filter((condition) => texts.some((text) => !condition.includes(`'${text}'`)))
    .map((condition) => `${column.quoted} may not take '${texts.join("' or '")}': ${condition}`);
}

/** A user has many events of a type, at one time too; so a key has to hold what they come from. */
function narrowKeys(table: CatalogTable, columns: ReadonlyMap<string, CatalogColumn>): string[] {
  const alike = new Set(
    ['user', 'type', 'sourceModel', 'occurredAt', 'createdAt'].map(
      (role) => columns.get(role)?.name,
    ),
  );
  return table.uniqueKeys
    .filter((key) => key.every((name) => alike.has(name)))
    .map((key) => `a unique index over ${key.join(', ')} leaves no room for a second event`);
}
