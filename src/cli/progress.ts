import cliProgress from 'cli-progress';
import type { ReconcileProgress } from '../index.js';

/** Where progress goes: stderr, which may be a terminal or a pipe. */
export type ProgressStream = NodeJS.WriteStream;

/** Shows how far a run has come. */
export interface ProgressView {
  update(progress: ReconcileProgress): void;
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
  clear: () => undefined,
  finish: () => undefined,
};

function bar(stream: ProgressStream): ProgressView {
  const started = performance.now();
  const view = new cliProgress.SingleBar(
    {
      stream,
      format:
        '{bar} {percentage}%  {value}/{total} wallets  {rate}/s  {drifted} drifted  {left} left',
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      barsize: 24,
    },
    cliProgress.Presets.legacy,
  );
  let running = false;
  return {
    update: ({ checked, total, drifted }) => {
      const seconds = (performance.now() - started) / 1000;
      const rate = checked / Math.max(seconds, 0.001);
      const payload = { rate: rate.toFixed(0), drifted, left: timeLeft((total - checked) / rate) };
      if (!running) view.start(total, 0, payload);
      running = true;
      view.setTotal(total);
      view.update(checked, payload);
    },
    clear: () => {
      if (running) stream.write(CLEAR_LINE);
    },
    finish: () => {
      if (running) view.stop();
    },
  };
}

/** Seconds as `1:02:03` or `2:03`; nothing sensible can be said before the first batch. */
function timeLeft(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-:--';
  const whole = Math.ceil(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours, minutes, rest] = parts.map((part) => String(part).padStart(2, '0'));
  return parts[0] === 0
    ? `${String(parts[1])}:${rest ?? ''}`
    : `${hours ?? ''}:${minutes ?? ''}:${rest ?? ''}`;
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
