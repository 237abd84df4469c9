// What some tests need beyond npm: Django and its PostgreSQL driver, by which an ORM of another
// language writes. As root on Debian they are installed from its packages; elsewhere they have to be
// there already, or the tests that need them are skipped and say so. It never fails a test run.
import { spawnSync } from 'node:child_process';

const PACKAGES = ['python3-django', 'python3-psycopg2'];
const MINUTES = 60_000;

function run(command, args, timeout) {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { stdio: ['ignore', 2, 2], timeout, env: environment });
}

function hasDjango() {
  const probe = ['-c', 'import django, psycopg2'];
  return spawnSync('/usr/bin/python3', probe, { stdio: 'ignore', timeout: MINUTES }).status === 0;
}

function hasAptGet() {
  return spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
}

if (!hasDjango()) {
  if (process.getuid?.() === 0 && hasAptGet()) {
    console.error(`installing ${PACKAGES.join(', ')} for the tests ...`);
    const install = ['install', '--yes', '--no-install-recommends', ...PACKAGES];
    if (run('apt-get', install, 5 * MINUTES).status !== 0) {
      run('apt-get', ['update'], 2 * MINUTES);
      run('apt-get', install, 5 * MINUTES);
    }
  }
  if (!hasDjango()) {
    console.error(`tests with Django are skipped: ${PACKAGES.join(' and ')} are not installed`);
  }
}
