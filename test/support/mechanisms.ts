import type { Guard } from '../../src/index.js';
import { TrueupError } from '../../src/index.js';
import type { TestDatabase } from './database.js';
import type { Fault } from './fault-list.js';
import { look } from './injections.js';
import { drift, STAGES, type Stage } from './stages.js';

/**
 * The mechanisms that may catch a fault. A column of docs/faults.md is added here, a row in
 * fault-list.ts or bypass-faults.ts: test/causes/faults.test.ts plays every fault in every setting.
 */

/** What stands while a fault is played, and who plays it. */
interface Setting {
  readonly stage: 'own tables' | 'adopted tables';
  /** The guard, which looks at applications only; without it the fault passes as Trueup would. */
  readonly guard?: Guard;
}

const SETTINGS = {
  'own tables': { stage: 'own tables' },
  'adopted tables': { stage: 'adopted tables' },
  'guard keep': { stage: 'adopted tables', guard: 'keep' },
  'guard record': { stage: 'adopted tables', guard: 'record' },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** One thing that may catch a fault, in the setting where it stands. */
export interface Mechanism {
  readonly name: string;
  readonly setting: SettingName;
  /**
   * After the fault, or after the error that it ended with: what it does to the fault, as a cell of the
   * table; empty where it does nothing. Those of one setting are asked in the order of the list.
   */
  readonly says: (stage: Stage, error: unknown) => Promise<string>;
}

/** The causes that a dry run names; undefined where it is refused. */
async function causes(stage: Stage): Promise<string[] | undefined> {
  const found = await unlessRefused(drift(stage));
  return found && [...new Set(found.map(({ cause }) => `\`${cause}\``))];
}

/** undefined: the role may not see every row, and is told so. */
async function unlessRefused<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TrueupError && error.code === 'permission_denied') return undefined;
    throw error;
  }
}

const inSync = async (stage: Stage): Promise<boolean> => (await causes(stage))?.length === 0;

const wrote = async ({ db }: Stage): Promise<boolean> =>
  (await db.value('SELECT count(*) FROM trueup.cache_writes')) !== '0';

export const MECHANISMS: readonly Mechanism[] = [
  {
    name: 'sync trigger',
    setting: 'adopted tables',
    says: async (stage, error) => (error === undefined && (await inSync(stage)) ? 'prevents' : ''),
  },
  {
    name: 'append-only',
    setting: 'own tables',
    says: (_, error) =>
      Promise.resolve(
        error instanceof Error && 'code' in error && error.code === 'TU003' ? 'refuses' : '',
      ),
  },
  {
    name: 'guard `keep`',
    setting: 'guard keep',
    says: async (stage) => ((await wrote(stage)) && (await inSync(stage)) ? 'prevents' : ''),
  },
  {
    name: 'guard `record`',
    setting: 'guard record',
    says: async (stage) =>
      (await wrote(stage)) ? `records: ${(await causes(stage))?.join(', ') ?? ''}` : '',
  },
  {
    name: 'sync status',
    setting: 'adopted tables',
    says: async ({ trueup }: Stage): Promise<string> => {
      const status = await unlessRefused(trueup.syncStatus());
      if (status === undefined) return 'refuses';
      return status.state !== 'installed' || status.waitingFailures > 0 ? 'tells' : '';
    },
  },
  {
    name: 'doctor',
    setting: 'adopted tables',
    says: async ({ trueup }: Stage): Promise<string> => {
      const { findings } = await trueup.doctor();
      const bad = findings.filter(({ level }) => level === 'warning' || level === 'error');
      return [...new Set(bad.map(({ id }) => `\`${id}\``))].join(', ');
    },
  },
  {
    name: 'reconcile',
    setting: 'adopted tables',
    says: async (stage) => (await causes(stage))?.join(', ') ?? 'refuses',
  },
  {
    name: 'gap watch',
    setting: 'adopted tables',
    says: async (stage: Stage): Promise<string> => {
      await look(stage);
      return (await stage.db.value('SELECT count(*) FROM trueup.sync_gaps')) === '0'
        ? ''
        : 'notices';
    },
  },
  {
    name: 'healer',
    setting: 'adopted tables',
    says: async (stage: Stage): Promise<string> => {
      const { healed } = await stage.trueup.heal({ everything: true });
      return healed > 0 && (await inSync(stage)) ? 'repairs' : '';
    },
  },
];

/** Plays a fault in one setting. Returns the cells of its mechanisms. */
export async function play(
  fault: Fault,
  name: SettingName,
  usual: TestDatabase,
): Promise<Map<string, string>> {
  const { stage: kind, guard }: Setting = SETTINGS[name];
  const db = fault.database ?? usual;
  const build = STAGES[kind];
  if (build === undefined) throw new Error(`there is no stage ${kind}`);
  const stage = await build(db);
  if (guard !== undefined) await stage.trueup.installSync({ guard });
  try {
    const injected = fault.inject(guard === undefined ? stage : { ...stage, db: db.application });
    const error: unknown = await injected.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    // Adopted tables refuse nothing by themselves: an error would be a mistake in the fault.
    if (error !== undefined && kind === 'adopted tables') {
      throw new Error(`${fault.name}: it could not be played`, { cause: error });
    }
    const seen = (await fault.seenBy?.(stage)) ?? stage;
    const cells = new Map<string, string>();
    for (const mechanism of MECHANISMS) {
      if (mechanism.setting === name) {
        cells.set(mechanism.name, await mechanism.says(seen, error));
      }
    }
    return cells;
  } finally {
    await fault.undo?.(stage);
  }
}
