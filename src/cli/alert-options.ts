import type { Command } from 'commander';
import { checkOperateOptions, type AlertHooks, type OperateOptions } from '../index.js';
import { asUsage } from './usage.js';

/** Where a command sends alerts. */
export interface AlertOptions {
  readonly alertWebhook?: string;
  readonly alertCommand?: string;
}

/** Adds the options to a command. */
export function withAlertOptions(command: Command): Command {
  return command
    .option('--alert-webhook <url>', 'post alerts there as JSON (default: TRUEUP_ALERT_WEBHOOK)')
    .option(
      '--alert-command <command>',
      'run this for every alert, with the JSON on its stdin (default: TRUEUP_ALERT_COMMAND)',
    );
}

/**
 * Ends the command where the hooks, or what else is to be done unattended, cannot be meant: before
 * anything is connected.
 */
export function checkOperating(options: OperateOptions, command: Command): void {
  asUsage(command, () => checkOperateOptions(options));
}

/** What was asked for, or what the environment says. An empty text is none. */
export function hooksFrom({ alertWebhook, alertCommand }: AlertOptions): AlertHooks {
  const webhook = alertWebhook ?? process.env['TRUEUP_ALERT_WEBHOOK'] ?? '';
  const command = alertCommand ?? process.env['TRUEUP_ALERT_COMMAND'] ?? '';
  return {
    ...(webhook === '' ? {} : { webhook }),
    ...(command === '' ? {} : { command }),
  };
}
