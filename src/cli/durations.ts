import { InvalidArgumentError } from 'commander';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const DURATION = /^([0-9]{1,9})([smhd])$/;

/** Reads a span of time, `90s`, `15m`, `2h` or `7d`, as seconds. */
export function duration(text: string): number {
  const [, number, unit] = DURATION.exec(text) ?? [];
  const seconds = Number(number) * SECONDS[(unit ?? 's') as keyof typeof SECONDS];
  if (Number.isSafeInteger(seconds) && seconds > 0) return seconds;
  throw new InvalidArgumentError('Give a span of time, such as 90s, 15m, 2h or 7d.');
}
