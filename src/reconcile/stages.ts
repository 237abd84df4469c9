import type { Checkpoint } from './checkpoint.js';
import { reach } from './failpoints.js';
import type { Foresight } from './foresight.js';
import { touchedProfiles, touchedWallets, type IncrementalPlan } from './incremental.js';
import type { Mender } from './mender.js';
import { criticalAmong } from './negatives.js';
import type { CheckedOptions } from './options.js';
import type { Pace } from './pace.js';
import { Pipeline } from './pipeline.js';
import type { Rails } from './rails.js';
import type { RunRecord } from './record.js';
import type { Reporter } from './reporter.js';
import { detectPatiently, type Seen } from './smaller.js';
import {
  everyProfile,
  everyWallet,
  listedWallets,
  type Source,
  type SourceEnd,
} from './sources.js';
import { judgeSurvey, keptSuspects, recordsOf, type Stop } from './survey.js';
import { heldBack, isHeldBack, tiersOf } from './tiers.js';
import type { Piece, Suspect, Walk } from './walk.js';

/** Why a run has not looked at every wallet. */
export type Incomplete = 'limit' | 'interrupted' | 'stopped' | 'run_time';

/** How the stages of a run ended: null where everything was done. */
export type StagesEnd = Incomplete | Stop | null;

/** What the stages of a run work with. */
export interface StagesOptions {
  readonly walk: Walk;
  readonly options: CheckedOptions;
  readonly pace: Pace;
  readonly reporter: Reporter;
  /** In the order in which they are looked at; undefined: every wallet. */
  readonly walletIds: readonly string[] | undefined;
  /** Of an incremental run, unless it looks at every wallet after all. */
  readonly plan?: IncrementalPlan | undefined;
  /** Wallets to look at in all. */
  readonly total: number;
  readonly from: Checkpoint;
  readonly onLost: () => void;
  /** Of a run that only reports, where rails would hold one that repairs. */
  readonly foresight?: Foresight | undefined;
  /** Left out of a run that only reports. */
  readonly repair?: {
    readonly record: RunRecord;
    readonly mender: Mender;
    /** null: a batch is repaired as soon as it was looked at. */
    readonly rails: Rails | null;
  };
}

interface Detected extends Seen {
  readonly piece: Piece;
  readonly milliseconds: number;
}

type Handle = (suspects: readonly Suspect[], piece: Piece) => Promise<void>;

/**
 * The stages of one run: the wallets, in a run with rails the suspects among them, and the profiles
 * without wallet. After every batch the checkpoint is saved, so each stage goes on where it stopped.
 */
export class Stages {
  readonly #parts: StagesOptions;
  #point: Checkpoint;
  #batch = 0;

  constructor(parts: StagesOptions) {
    this.#parts = parts;
    const survey = parts.from.survey || (parts.repair?.rails ?? null) !== null;
    this.#point = { ...parts.from, survey };
  }

  /** How far the run is. */
  get point(): Checkpoint {
    return this.#point;
  }

  /** Runs one stage after the other. */
  async run(): Promise<StagesEnd> {
    const { survey } = this.#point;
    const looked = this.#point.walked
      ? null
      : await this.#stage(this.#wallets(), survey ? this.#keep : this.#handle);
    // A limit is for looking: what was seen until then is repaired.
    if (looked !== null && (looked !== 'limit' || !survey)) return looked;
    if (survey) {
      const end = (await this.#judge()) ?? (await this.#stage(this.#suspects(), this.#handle));
      if (end !== null) return end;
    }
    const { walk, plan, walletIds } = this.#parts;
    if (looked !== null || (walletIds !== undefined && plan === undefined)) return looked;
    return this.#stage(
      plan === undefined
        ? everyProfile(walk, this.#source, this.#point.profilesAbove)
        : touchedProfiles(walk, this.#source, plan, this.#point),
      this.#handle,
    );
  }

  get #source(): { pace: Pace; signal: AbortSignal | undefined; onLost: () => void } {
    const { pace, options, onLost } = this.#parts;
    return { pace, signal: options.signal, onLost };
  }

  #wallets(): Source {
    const { walk, walletIds, plan, options } = this.#parts;
    const limit = options.limit ?? Number.MAX_SAFE_INTEGER;
    if (plan !== undefined) {
      return touchedWallets(walk, this.#source, plan, { point: this.#point, limit });
    }
    const from = { above: this.#point.above, limit };
    return walletIds === undefined
      ? everyWallet(walk, this.#source, from)
      : listedWallets(walletIds, this.#source, from);
  }

  async *#suspects(): Source {
    const { walk, repair } = this.#parts;
    if (repair === undefined) return 'complete';
    const { position } = this.#point;
    return yield* keptSuspects(walk.database, repair.record.id, this.#source, position);
  }

  async #judge(): Promise<Stop | null> {
    const { walk, repair } = this.#parts;
    const rails = repair?.rails ?? null;
    if (repair === undefined || rails === null) return null;
    return judgeSurvey(walk.database, repair.record.id, rails, this.#point.checked);
  }

  /** Looks at the pieces of a source, some at a time, and handles them in their order. */
  async #stage(source: Source, handle: Handle): Promise<Incomplete | null> {
    const { options, pace, repair } = this.#parts;
    const pieces = new Pipeline<Piece, SourceEnd, Detected>(
      source,
      options.jobs,
      (piece) => this.#detect(piece),
      // Beside others a run takes no more of the server for repairs than it takes to look.
      () => repair?.mender.besideOthers !== true,
    );
    try {
      for (;;) {
        const next = await pieces.next();
        if ('end' in next) return next.end === 'complete' ? null : next.end;
        if (options.signal?.aborted === true) return 'interrupted';
        repair?.record.checkLease();
        const { piece, suspects, tooLong, milliseconds } = next.result;
        const began = performance.now();
        for (const walletId of tooLong) this.#skip(walletId);
        await handle(suspects, piece);
        this.#batch += 1;
        pace.done(piece.wallets, milliseconds + performance.now() - began);
      }
    } finally {
      await pieces.stop();
    }
  }

  async #detect(piece: Piece): Promise<Detected> {
    const { walk } = this.#parts;
    const began = performance.now();
    const seen = await detectPatiently(walk, piece, this.#source);
    return { piece, ...seen, milliseconds: performance.now() - began };
  }

  #skip(walletId: string): void {
    this.#parts.reporter.skipped({
      walletId,
      details: undefined,
      code: 'timed_out',
      message: 'the server ended the comparison of this wallet: it took longer than it allows',
    });
  }

  /** Repairs a batch, or only reports it. */
  readonly #handle: Handle = async (suspects, piece) => {
    const { repair } = this.#parts;
    reach('after_detect', this.#batch);
    if (repair === undefined) await this.#report(suspects);
    else await repair.mender.repair(suspects, this.#batch);
    await this.#done(piece, []);
  };

  async #report(suspects: readonly Suspect[]): Promise<void> {
    const { walk, options, reporter, foresight } = this.#parts;
    const tiers = tiersOf(options);
    for (const suspect of suspects) {
      const { details } = suspect;
      foresight?.see(suspect);
      if (details === undefined || tiers === null || !isHeldBack(details, tiers)) {
        reporter.left(details);
      } else {
        reporter.found(heldBack(details));
      }
    }
    for (const wallet of await criticalAmong(walk, suspects)) reporter.critical(wallet);
  }

  /** Keeps the suspects of a batch for later. */
  readonly #keep: Handle = async (suspects, piece) => {
    reach('after_detect', this.#batch);
    await this.#done(piece, suspects);
  };

  async #done(piece: Piece, suspects: readonly Suspect[]): Promise<void> {
    const { repair, reporter, total } = this.#parts;
    reporter.tally.checked += piece.wallets;
    this.#point = { ...this.#point, ...piece.mark, checked: reporter.tally.checked };
    if (repair !== undefined) {
      reach('before_checkpoint', this.#batch);
      await repair.record.save({
        checkpoint: this.#point,
        progress: reporter.progress(total),
        findings: reporter.take(),
        suspects: recordsOf(suspects),
      });
      reach('after_checkpoint', this.#batch);
    }
    reporter.tellProgress(total);
  }
}
