import {
  read,
  readAnything,
  readFlag,
  readText,
  readWhole,
  readWords,
  shape,
  show,
  wrong,
  type Reader,
} from '../core/arguments.js';
import { POSTER_DEFAULTS, type PosterOptions } from '../ledger/poster.js';
import type { ReasonRegistry } from '../core/reasons.js';
import type { Mapping } from '../mapping/schema.js';
import { readSignal } from '../reconcile/options.js';

/** How to open Trueup. Without a URL it starts, or joins, the embedded server of `home`. */
export interface TrueupOptions {
  /**
   * `postgres://...`, PostgreSQL 15 to 18. Default: the environment's DATABASE_URL. Empty text means the
   * embedded server, whatever the environment says.
   */
  readonly databaseUrl?: string | undefined;
  /** The mapping, or the file it is in. Default: `trueup.config.json`, then Trueup's own tables. */
  readonly config?: string | Mapping | undefined;
  /** Reasons beside those of the mapping, or in place of them. */
  readonly reasons?: ReasonRegistry | undefined;
  /** How postings are gathered into batches. */
  readonly posting?: Partial<PosterOptions> | undefined;
  /** Where the embedded server keeps its files. Default: TRUEUP_HOME, then `.trueup`. */
  readonly home?: string | undefined;
  /** The database of the embedded server. Default: TRUEUP_DATABASE, then `trueup`. */
  readonly embeddedDatabase?: string | undefined;
  /** Drop that database first, with all that is in it. Default: false. */
  readonly recreate?: boolean | undefined;
  /**
   * Write nothing: no migration and no trigger while opening, and afterwards every call that would
   * write is refused with `read_only`. Default: false.
   * With the embedded server Trueup's own tables are made all the same: the server is its own.
   */
  readonly readOnly?: boolean | undefined;
  /** Heal sync failures in the background until close(). Default: true, unless read-only. */
  readonly healer?: boolean | undefined;
  /** Connections at most, beside those that post (`posting.lanes` and one more). Default: 10. */
  readonly maxConnections?: number | undefined;
  /** Shown in pg_stat_activity. Default: `trueup`. */
  readonly applicationName?: string | undefined;
}

/** What `heal` may be told. */
export interface HealOptions {
  /** Also failures whose next attempt is not due yet. */
  readonly everything?: boolean | undefined;
  /** Stops after the batch under way. */
  readonly signal?: AbortSignal | undefined;
}

export const HEAL = shape<HealOptions>('the options of heal', {
  everything: readFlag,
  signal: readSignal,
});

const POSTING = shape<Partial<PosterOptions>>('posting', {
  queueLimit: readWhole(1, 10_000_000),
  batchLimit: readWhole(1, 1_000_000),
  lanes: readWhole(1, 100),
});

const OPTIONS = shape<TrueupOptions>('the options of Trueup', {
  databaseUrl: readWords,
  config: readConfig,
  reasons: readAnything as Reader<ReasonRegistry>,
  posting: (value) => read(POSTING, value),
  home: readText,
  embeddedDatabase: readText,
  recreate: readFlag,
  readOnly: readFlag,
  healer: readFlag,
  maxConnections: readWhole(1, 10_000),
  applicationName: readWords,
});

/** The mapping itself is looked at when it is loaded: what is wrong there is `config_invalid`. */
function readConfig(value: unknown, name: string, whose: string): string | Mapping {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null) return value as Mapping;
  throw wrong(`${name} of ${whose} has to be a file or a mapping, not ${show(value)}`);
}

/** The healer listens on one connection, and repairs on another. */
const FEWEST_WITH_HEALER = 2;

/** The options, with what the others say about posting, healing and writing. */
export interface CheckedTrueupOptions extends TrueupOptions {
  readonly posting: PosterOptions;
  readonly readOnly: boolean;
  readonly healer: boolean;
}

/** @throws TrueupError `invalid_argument` */
export function checkTrueupOptions(given: TrueupOptions): CheckedTrueupOptions {
  const options = read(OPTIONS, given);
  const { readOnly = false, maxConnections = FEWEST_WITH_HEALER } = options;
  const healer = options.healer ?? !readOnly;
  if (readOnly && healer) throw wrong('a healer writes: it cannot be had with readOnly');
  if (healer && maxConnections < FEWEST_WITH_HEALER) {
    throw wrong(`with a healer maxConnections has to be ${String(FEWEST_WITH_HEALER)} or more`);
  }
  return { ...options, readOnly, healer, posting: { ...POSTER_DEFAULTS, ...options.posting } };
}
