import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { calendarOf } from '../../src/operations/schedule/calendar.js';
import { Schedule } from '../../src/operations/schedule/cron.js';
import { printSchedule, type SchedulerName } from '../../src/operations/schedule/print.js';

/** What is printed for other schedulers: read again by the programs that will read it. */

/** Words that every quoting gets wrong at first. */
const WORDS = [
  'plain',
  'two words',
  `it's`,
  '"quoted"',
  '100%',
  '%h',
  '$HOME',
  '$(id)',
  '`id`',
  'back\\slash',
  '',
  ';',
  '#',
  '*',
  '~',
  '☃',
  '&& true',
];

const RUN = {
  program: ['/usr/bin/env', 'printf', '%s\\n'],
  folder: '/tmp',
  flags: WORDS,
  image: 'registry/trueup:1',
};

const FIXED = ['reconcile', '--all', '--unattended', '--quiet'];

function text(name: SchedulerName, expression = '0 3 * * *', zone = 'UTC'): string {
  return printSchedule(name, new Schedule(expression, zone), RUN);
}

function line(text: string, beginning: string): string {
  const found = text.split('\n').find((each) => each.startsWith(beginning));
  if (found === undefined) throw new Error(`no line begins with ${beginning}`);
  return found;
}

function output(program: string, ...args: string[]): string {
  const run = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
  if (run.status !== 0) throw new Error(`${program}: ${run.stderr}`);
  return run.stdout;
}

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;

describe('cron', () => {
  test('hands every word to the command as it is', () => {
    const entry = line(text('cron'), '0 3 * * * trueup ');
    // Cron ends a command at a percent sign, unless a backslash stands before it.
    expect(entry).not.toMatch(/(^|[^\\])%/);
    const command = entry
      .slice('0 3 * * * trueup '.length)
      .replaceAll('\\%', '%')
      .replace('. /etc/trueup/environment', '. /dev/null')
      .replace(' >/dev/null', '');
    expect(output('/bin/sh', '-c', command).split('\n').slice(0, -1)).toEqual([...FIXED, ...WORDS]);
  });

  test('names the time zone, and writes nicknames as fields', () => {
    const printed = text('cron', '@weekly', 'Europe/Berlin');
    expect(printed).toContain('\nCRON_TZ=Europe/Berlin\n0 0 * * 0 trueup cd /tmp ');
  });
});

describe.skipIf(!has('systemd-analyze', '--version'))('systemd', () => {
  test.each([
    ['0 3 * * *', 'UTC'],
    ['30 2 * * 1-5', 'Europe/Berlin'],
    ['*/20 1,13 * * *', 'UTC'],
    ['5 4 1,15 * *', 'UTC'],
    ['5 4 1,15 * MON', 'UTC'],
    ['0 12 */10 2-4 *', 'UTC'],
    ['0 0 * JAN,jul 7', 'America/New_York'],
    ['15-45/15 22-23 * * 0,6', 'Asia/Kolkata'],
    ['@monthly', 'UTC'],
  ])('is due when cron is (%s in %s)', (expression, zone) => {
    const schedule = new Schedule(expression, zone);
    const base = new Date('2026-11-25T00:00:30Z');
    const expected: number[] = [];
    for (let now = base; expected.length < 8;) {
      now = schedule.nextDue(now) ?? now;
      expected.push(now.getTime());
    }
    const found = new Set<number>();
    for (const calendar of calendarOf(schedule)) {
      const told = output(
        'systemd-analyze',
        ...['calendar', '--iterations=8', '--base-time=2026-11-25 00:00:30 UTC', calendar],
      );
      for (const [, at = ''] of told.matchAll(/\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC/g)) {
        found.add(Date.parse(`${at.replace(' ', 'T')}Z`));
      }
    }
    expect([...found].sort((left, right) => left - right).slice(0, 8)).toEqual(expected);
  });
});

describe('the command line of systemd', () => {
  test('is quoted', () => {
    const command = line(text('systemd'), 'ExecStart=');
    // By the rules of systemd.service: quotes, C escapes, %% and $$.
    const words = [...command.slice('ExecStart='.length).matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)];
    const read = words.map(([, quoted, bare = '']) => (quoted ?? bare).replaceAll(/\\(.)/g, '$1'));
    expect(read.slice(3).map((word) => word.replaceAll('%%', '%').replaceAll('$$', '$'))).toEqual([
      ...FIXED,
      ...WORDS,
    ]);
    expect(command.replaceAll('%%', '')).not.toContain('%');
    expect(command.replaceAll('$$', '')).not.toContain('$');
  });
});

describe.skipIf(!has('python3', '-c', 'import yaml'))('Kubernetes', () => {
  test('gets a document that says what was meant', () => {
    const json = spawnSync(
      'python3',
      ['-c', 'import sys, json, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'],
      { encoding: 'utf8', input: text('k8s', '30 2 * * 1-5', 'Europe/Berlin') },
    );
    const job = JSON.parse(json.stdout) as {
      spec: {
        jobTemplate: { spec: { template: { spec: { containers: { args: string[] }[] } } } };
      };
    };
    expect(job).toMatchObject({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      spec: { schedule: '30 2 * * 1-5', timeZone: 'Europe/Berlin', concurrencyPolicy: 'Forbid' },
    });
    const [container] = job.spec.jobTemplate.spec.template.spec.containers;
    expect(container).toMatchObject({ image: 'registry/trueup:1', command: ['trueup'] });
    // Kubernetes replaces $(NAME), and takes $$(NAME) for the text itself.
    expect(container?.args.map((word) => word.replaceAll('$$(', '$('))).toEqual([
      ...FIXED,
      ...WORDS,
    ]);
    expect(container?.args).toContain('$$(id)');
  });
});

describe('what cannot be printed', () => {
  test.each(['0 3 L * *', '0 3 * * 5#2', '0 3 15W * *', '0 3 * * 5L'])(
    'a schedule that others do not know: %s',
    (expression) => {
      for (const name of ['cron', 'systemd', 'k8s'] as const) {
        expect(() => text(name, expression)).toThrow(
          expect.objectContaining({ code: 'invalid_argument' }) as Error,
        );
      }
    },
  );

  test('a word of two lines', () => {
    for (const name of ['cron', 'systemd', 'k8s'] as const) {
      const run = { ...RUN, flags: ['one\n* * * * * root rm -rf /'] };
      expect(() => printSchedule(name, new Schedule(), run)).toThrow(
        expect.objectContaining({ code: 'invalid_argument' }) as Error,
      );
    }
  });
});
