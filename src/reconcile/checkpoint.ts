import type { SlicePiece } from './ranges.js';
import type { Base, WholeReason } from './watermark.js';

/** How far a run is. Saved after every batch, so that another process can go on from there. */
export interface Checkpoint {
  /** Wallets that were looked at. */
  readonly checked: number;
  /** Every wallet up to this one was looked at, in the order of their ids; null: none. */
  readonly above: string | null;
  /** All wallets were looked at. */
  readonly walked: boolean;
  /** The run first looks at everything, keeps its suspects, and repairs afterwards. */
  readonly survey: boolean;
  /** Of a survey: the suspects up to this position were repaired. */
  readonly position: string;
  /** Of the profiles without wallet, those up to this one were looked at; null: none. */
  readonly profilesAbove: string | null;
  /** Everything that was committed before this time is looked at by the run. */
  readonly since: string | null;
  /** What the run counts from; null: nothing is verified by it. */
  readonly base: Base | null;
  /** Of an incremental run: why it looks at every wallet after all; null: it does not. */
  readonly whole: WholeReason | null;
  /** Of an incremental run: all wallets that were touched were looked at. */
  readonly listed: boolean;
  /** Of an incremental run: what its rolling slice has looked at. */
  readonly slice: readonly SlicePiece[];
}

/** What a run had counted when it saved its checkpoint, for whoever watches it. */
export interface Progress {
  readonly checked: number;
  readonly total: number;
  readonly drifted: number;
  readonly repaired: number;
  readonly skipped: number;
  readonly errors: number;
}

/** Before the first wallet. */
export const BEGINNING: Checkpoint = {
  checked: 0,
  above: null,
  walked: false,
  survey: false,
  position: '0',
  profilesAbove: null,
  since: null,
  base: null,
  whole: null,
  listed: false,
  slice: [],
};
