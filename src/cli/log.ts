import type { OperationsEvent } from '../index.js';

/** The log of a long-running process: one line an event. Text out, nothing is printed here. */

export const LOG_FORMATS = ['pretty', 'json'] as const;

export type LogFormat = (typeof LOG_FORMATS)[number];

/** One line, at a time of this host's clock. */
export function logLine(format: LogFormat, at: Date, event: OperationsEvent): string {
  return format === 'json' ? jsonLine(at, event) : prettyLine(at, event);
}

function jsonLine(at: Date, { event, level, message, details }: OperationsEvent): string {
  return JSON.stringify({ at: at.toISOString(), level, event, message, ...details });
}

/** `2026-11-25 03:00:00Z  run_started  the slot ...`. A message of several lines is made one. */
function prettyLine(at: Date, { event, level, message }: OperationsEvent): string {
  const time = at
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
  const mark = level === 'info' ? '' : `${level}: `;
  return `${time}  ${event}  ${mark}${message.replaceAll(/\s*\n\s*/g, ' ')}`;
}
