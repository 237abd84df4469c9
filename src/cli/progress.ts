import cliProgress from 'cli-progress';
import type { ReconcileProgress } from '../index.js';
import { Meter } from './meter.js';

/** Where progress goes: stderr, which may be a terminal or a pipe. */
export type ProgressStream = NodeJS.WriteStream;

/** Shows how far a run has come. */
export interface ProgressView {
  update(progress: ReconcileProgress): void;
  /** The run waits, and why; null: it goes on. */
  pause(reason: string | null): void;
  /** Makes room for a line on the same terminal. */
  clear(): void;
  finish(): void;
}

/** In a verbose pipe: one line for every so many wallets, as UP-M3 has it. */
const VERBOSE_STEP = 100;

/** In any other pipe: at most one line in so many milliseconds. */
const QUIET_STEP_MS = 10_000;

const CLEAR_LINE = '\r\u001b[2K';

/** A bar on a terminal, lines in a pipe, nothing when quiet. */
export function progressView(
  stream: ProgressStream,
  options: { readonly verbose: boolean; readonly quiet: boolean },
): ProgressView {
  if (options.quiet) return silent;
  if (stream.isTTY) return bar(stream);
  return options.verbose ? everyHundred(stream) : nowAndThen(stream);
}

const silent: ProgressView = {
  update: () => undefined,
  pause: () => undefined,
  clear: () => undefined,
  finish: () => undefined,
};

function bar(stream: ProgressStream): ProgressView {
  const meter = new Meter(performance.now());
  const view = new cliProgress.SingleBar(
    {
      stream,
      format: '{bar} {percentage}%  {value}/{total} wallets  {rate}/s  {drifted} drifted  {left}',
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      barsize: 24,
    },
    cliProgress.Presets.legacy,
  );
  let last: ReconcileProgress | undefined;
  let waiting: string | null = null;
  const draw = (progress: ReconcileProgress): void => {
    const { checked, total, drifted, resumedFrom = 0 } = progress;
    const now = performance.now();
    const looked = checked - resumedFrom;
    const left = waiting ?? timeLeft(meter.left({ looked, checked, total }, now));
    const payload = { rate: meter.rate(looked, now).toFixed(0), drifted, left };
    if (last === undefined) view.start(total, 0, payload);
    last = progress;
    view.setTotal(total);
    view.update(checked, payload);
  };
  return {
    update: draw,
    pause: (reason) => {
      if (reason === null) meter.goOn(performance.now());
      else meter.pause(performance.now());
      waiting = reason === null ? null : `waiting: ${reason}`;
      if (last !== undefined) draw(last);
    },
    clear: () => {
      if (last !== undefined) stream.write(CLEAR_LINE);
    },
    finish: () => {
      if (last !== undefined) view.stop();
    },
  };
}

/** Seconds as `1:02:03 left` or `2:03 left`; nothing where nothing sensible can be said. */
function timeLeft(seconds: number | undefined): string {
  if (seconds === undefined) return '';
  const whole = Math.ceil(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours, minutes, rest] = parts.map((part) => String(part).padStart(2, '0'));
  const short = `${String(parts[1])}:${rest ?? ''}`;
  return `${parts[0] === 0 ? short : `${hours ?? ''}:${minutes ?? ''}:${rest ?? ''}`} left`;
}

function everyHundred(stream: ProgressStream): ProgressView {
  let said = 0;
  return {
    ...silent,
    update: ({ checked, total }) => {
      for (; said + VERBOSE_STEP <= checked;) {
        said += VERBOSE_STEP;
        stream.write(`${String(said)}/${String(total)} wallets\n`);
      }
    },
  };
}

function nowAndThen(stream: ProgressStream): ProgressView {
  let said = performance.now();
  return {
    ...silent,
    update: ({ checked, total, drifted }) => {
      if (performance.now() - said < QUIET_STEP_MS) return;
      said = performance.now();
      stream.write(`${String(checked)}/${String(total)} wallets, ${String(drifted)} drifted\n`);
    },
  };
}
