import { show, wrong } from '../../core/arguments.js';
import { calendarOf, fieldsOf } from './calendar.js';
import type { Schedule } from './cron.js';
import { forCron, forKubernetes, forShell, forSystemd, forSystemdPath, forYaml } from './quote.js';

/** What other schedulers need to run reconcile every night: text to be reviewed and put in its place. */

/** Schedulers that a text can be printed for. */
export const SCHEDULERS = ['cron', 'systemd', 'k8s'] as const;

export type SchedulerName = (typeof SCHEDULERS)[number];

/** What is to be run, and where. */
export interface PrintedRun {
  /** The program and what comes before its command, as absolute paths: node, bin/trueup.mjs. */
  readonly program: readonly string[];
  /** The folder it works in: where trueup.config.json is found. */
  readonly folder: string;
  /** More flags of the run; `--since-checkpoint` replaces `--all`. They are printed as they are. */
  readonly flags: readonly string[];
  /** For k8s: the image with Trueup in it. */
  readonly image: string;
}

/** Where the address of the database is kept, so that no listing of processes shows it. */
const ENVIRONMENT_FILE = '/etc/trueup/environment';

/** A line ends there, however it is quoted. */
const UNPRINTABLE = /[\0\n\r]/;

/**
 * The command of a night: the flags that are given, and before them what a night needs and they do not say.
 * With `--since-checkpoint`, or `--cycle`, which goes with it, the night is an incremental one.
 */
export function nightWords(flags: readonly string[]): readonly string[] {
  const has = (...names: string[]): boolean =>
    flags.some((flag) => names.includes(flag.replace(/=.*$/s, '')));
  const selection = has('--cycle') ? '--since-checkpoint' : '--all';
  return [
    'reconcile',
    ...(has('--all', '--since-checkpoint') ? [] : [selection]),
    ...['--unattended', '--quiet'].filter((word) => !has(word)),
    ...flags,
  ];
}

/**
 * The text for a scheduler. It runs one unattended reconcile and ends; `trueup start` needs no other
 * scheduler, and also heals.
 *
 * @throws TrueupError `invalid_argument`: the scheduler cannot express the schedule
 */
export function printSchedule(name: SchedulerName, schedule: Schedule, run: PrintedRun): string {
  const unprintable = [...run.program, run.folder, ...run.flags, run.image].find((word) =>
    UNPRINTABLE.test(word),
  );
  if (unprintable !== undefined) throw wrong(`${show(unprintable)} does not fit into one line`);
  const texts = { cron: printCron, systemd: printSystemd, k8s: printKubernetes };
  return texts[name](schedule, run);
}

function printCron(schedule: Schedule, { program, folder, flags }: PrintedRun): string {
  const { minute, hour, day, month, weekday } = fieldsOf(schedule);
  const command = [...program, ...nightWords(flags)].map(forShell).join(' ');
  const line =
    `cd ${forShell(folder)} && set -a && . ${ENVIRONMENT_FILE} && set +a && ` +
    `exec ${command} >/dev/null`;
  return `# /etc/cron.d/trueup: one unattended reconcile at "${schedule.expression}", ${schedule.timeZone}.
#
# ${ENVIRONMENT_FILE} (mode 0600, owned by the user trueup) holds lines as a shell reads them:
#   DATABASE_URL='postgres://...'
#   TRUEUP_ALERT_WEBHOOK='https://...'
#
# CRON_TZ is understood by cronie and by systemd-cron. Debian's cron does not know it, and goes by the time
# zone of the host: there, set that, or write the line in the host's time.
# Two at once do no harm: the second ends with an error that names the first.
# What is found is on record in the database; what cron mails is what was said on stderr.
SHELL=/bin/sh
CRON_TZ=${schedule.timeZone}
${minute} ${hour} ${day} ${month} ${weekday} trueup ${forCron(line)}
`;
}

function printSystemd(schedule: Schedule, { program, folder, flags }: PrintedRun): string {
  const command = [...program, ...nightWords(flags)].map(forSystemd).join(' ');
  const calendar = calendarOf(schedule).map((line) => `OnCalendar=${line}`);
  return `# One unattended reconcile at "${schedule.expression}", ${schedule.timeZone}, by a timer of systemd.
# Write each part into the file that it names, then:
#   systemctl daemon-reload && systemctl enable --now trueup-reconcile.timer
#
# Where "trueup start" runs anyway, leave this out: it has a schedule of its own.

# ---- /etc/systemd/system/trueup-reconcile.service ----
[Unit]
Description=Trueup: compare every cache with the ledger, and repair
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User=trueup
WorkingDirectory=${forSystemdPath(folder)}
# Mode 0600, with lines such as DATABASE_URL=postgres://... and TRUEUP_ALERT_WEBHOOK=https://...
EnvironmentFile=${ENVIRONMENT_FILE}
ExecStart=${command}
# A run is stopped by SIGTERM: it finishes its batch, and can be resumed.
TimeoutStartSec=infinity
TimeoutStopSec=60
Nice=10
NoNewPrivileges=yes

# ---- /etc/systemd/system/trueup-reconcile.timer ----
[Unit]
Description=Trueup: when reconcile runs

[Timer]
${calendar.join('\n')}
# A run that was missed while the host was down is made up.
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
`;
}

function printKubernetes(schedule: Schedule, { flags, image }: PrintedRun): string {
  const { minute, hour, day, month, weekday } = fieldsOf(schedule);
  const args = nightWords(flags)
    .map((word) => `                - ${forYaml(forKubernetes(word))}`)
    .join('\n');
  return `# One unattended reconcile at "${schedule.expression}", ${schedule.timeZone}. Apply it with:
#   kubectl apply -f FILE
#
# The image has to hold Trueup with "trueup" in its PATH, such as one that is made by
#   FROM node:20-slim
#   COPY . /opt/trueup
#   RUN cd /opt/trueup && npm ci && npm run build && npm link
# The secret "trueup" holds the environment: DATABASE_URL, TRUEUP_ALERT_WEBHOOK.
# The configmap "trueup" holds trueup.config.json; there is none where you use Trueup's own tables.
apiVersion: batch/v1
kind: CronJob
metadata:
  name: trueup-reconcile
spec:
  schedule: ${forYaml(`${minute} ${hour} ${day} ${month} ${weekday}`)}
  timeZone: ${forYaml(schedule.timeZone)}
  # Two at once would do no harm: the second ends with an error that names the first.
  concurrencyPolicy: Forbid
  # A run that was missed is made up within six hours.
  startingDeadlineSeconds: 21600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 7
  jobTemplate:
    spec:
      # Drift that waits for people is an exit status too; running again would not change it.
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          # It finishes its batch when it is told to stop, and can be resumed.
          terminationGracePeriodSeconds: 60
          containers:
            - name: trueup
              image: ${forYaml(image)}
              workingDir: /etc/trueup
              command: ["trueup"]
              args:
${args}
              envFrom:
                - secretRef:
                    name: trueup
              resources:
                requests:
                  cpu: 500m
                  memory: 256Mi
                limits:
                  memory: 512Mi
              volumeMounts:
                - name: config
                  mountPath: /etc/trueup
                  readOnly: true
          volumes:
            - name: config
              configMap:
                name: trueup
                optional: true
`;
}
