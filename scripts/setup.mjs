// Makes a plain clone ready: installs what is missing and builds what has changed. It needs nothing
// but Node and npm, and does nothing when nothing is to be done. `--build` builds in any case.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LOWEST_NODE = [20, 20];

function fail(message) {
  console.error(message);
  process.exit(1);
}

function run(command, args) {
  // Results belong to stdout, and this is none.
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function digestOf(files) {
  const hash = createHash('sha256').update(process.versions.modules);
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function filesBelow(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** Whether a step was done for exactly these files; the stamp is written when it is done. */
function unlessDone(stamp, digest, step) {
  const file = join(root, stamp);
  if (existsSync(file) && readFileSync(file, 'utf8') === digest) return;
  step();
  writeFileSync(file, digest);
}

function readJson(file) {
  const path = join(root, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

function sameNames(left = {}, right = {}) {
  const text = (names) => JSON.stringify(Object.entries(names).sort());
  return text(left) === text(right);
}

/**
 * Whether somebody has installed just what the lock file names: npm keeps a list of what is there.
 * A package that is optional may be missing, but not the one that is made for this platform.
 */
function isInstalled() {
  const wanted = readJson('package-lock.json')?.packages ?? {};
  const found = readJson('node_modules/.package-lock.json')?.packages;
  if (found === undefined) return false;
  const asked = readJson('package.json');
  // Where these two differ, npm has to say so.
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'];
  if (!kinds.every((kind) => sameNames(asked[kind], wanted['']?.[kind]))) return false;
  return Object.entries(wanted).every(([path, { version, optional, os, cpu, libc }]) => {
    if (path === '') return true;
    const forHere = os?.includes(process.platform) && cpu?.includes(process.arch) && !libc;
    if (found[path] === undefined) return optional === true && !forHere;
    return found[path].version === version && existsSync(join(root, path, 'package.json'));
  });
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < LOWEST_NODE[0] || (major === LOWEST_NODE[0] && minor < LOWEST_NODE[1])) {
  fail(`Trueup needs Node ${LOWEST_NODE.join('.')} or newer; this is ${process.versions.node}`);
}

unlessDone(
  'node_modules/.trueup-installed',
  digestOf(['package.json', 'package-lock.json']),
  () => {
    if (isInstalled()) return;
    console.error('installing what is missing ...');
    const npm = process.env.npm_execpath;
    const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    if (npm?.endsWith('npm-cli.js')) run(process.execPath, [npm, ...args]);
    else run('npm', args);
  },
);

// The lock file too: the libraries that it names are built into the command.
const sources = [
  ...filesBelow('src'),
  ...['tsconfig.json', 'tsconfig.build.json', 'scripts/bundle.mjs', 'package-lock.json'],
];
if (process.argv.includes('--build')) rmSync(join(root, 'dist'), { recursive: true, force: true });
unlessDone('dist/.trueup-built', digestOf(sources), () => {
  console.error('building ...');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    'tsconfig.build.json',
  ]);
  run(process.execPath, ['scripts/bundle.mjs']);
});
