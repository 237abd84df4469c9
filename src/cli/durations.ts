import { InvalidArgumentError } from 'commander';

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Reads `90s`, `15m`, `2h` or `7d`. @returns seconds */
export function duration(text: string): number {
  const [, digits = '', unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * SECONDS[unit as keyof typeof SECONDS];
  if (seconds >= 1) return seconds;
  throw new InvalidArgumentError('Give a duration like 90s, 15m, 2h or 7d.');
}
