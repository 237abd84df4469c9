import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder } from './support/folder.js';

/** When scripts/setup.mjs installs and builds, in a small clone whose npm, tsc and bundler only take notes. */

const SETUP = resolve(import.meta.dirname, '../scripts/setup.mjs');
const HERE = { os: [process.platform], cpu: [process.arch] };

const BUILD = ['tsc', 'bundle'];

let clone = '';

beforeEach(() => {
  clone = makeFolder('clone');
  write('scripts/setup.mjs', fs.readFileSync(SETUP, 'utf8'));
  write(
    'scripts/bundle.mjs',
    `import { appendFileSync } from 'node:fs'; appendFileSync('notes', 'bundle\\n');`,
  );
  write('src/index.ts', 'export {};');
  write('tsconfig.json', '{}');
  write('tsconfig.build.json', '{}');
  write('package.json', {
    dependencies: { pg: '8.0.0' },
    optionalDependencies: { server: '18.0.0' },
  });
  write('package-lock.json', {
    packages: {
      '': { dependencies: { pg: '8.0.0' }, optionalDependencies: { server: '18.0.0' } },
      'node_modules/pg': { version: '8.0.0' },
      'node_modules/server': { version: '18.0.0', optional: true, ...HERE },
      'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['aix'], cpu: ['ppc64'] },
      'node_modules/libc': { version: '1.0.0', optional: true, ...HERE, libc: ['musl'] },
      'node_modules/of-elsewhere': { version: '1.0.0', optional: true },
    },
  });
  write('bin/npm', `#!/bin/sh\necho "npm $1" >> notes\n`);
  fs.chmodSync(join(clone, 'bin/npm'), 0o755);
  write(
    'node_modules/typescript/bin/tsc',
    `const fs = require('node:fs'); fs.mkdirSync('dist'); fs.appendFileSync('notes', 'tsc\\n')`,
  );
});

afterEach(() => {
  fs.rmSync(clone, { recursive: true, force: true });
});

function write(file: string, content: string | object): void {
  const path = join(clone, file);
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
}

/** What `npm ci` leaves behind. */
function install(packages: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(packages)) write(`node_modules/${name}/package.json`, {});
  write('node_modules/.package-lock.json', {
    packages: Object.fromEntries(
      Object.entries(packages).map(([name, version]) => [`node_modules/${name}`, { version }]),
    ),
  });
}

function change(file: string, from: string, to: string): void {
  write(file, fs.readFileSync(join(clone, file), 'utf8').replace(from, to));
}

/** @returns what it did, in order */
function setup(...args: string[]): string[] {
  const notes = join(clone, 'notes');
  fs.rmSync(notes, { force: true });
  const run = spawnSync(process.execPath, ['scripts/setup.mjs', ...args], {
    cwd: clone,
    env: { PATH: `${join(clone, 'bin')}${delimiter}${process.env['PATH'] ?? ''}` },
    encoding: 'utf8',
  });
  expect(run).toMatchObject({ status: 0, stdout: '' });
  return fs.existsSync(notes) ? fs.readFileSync(notes, 'utf8').trim().split('\n') : [];
}

test('a plain clone is installed and built once', () => {
  expect(setup()).toEqual(['npm ci', ...BUILD]);
  expect(setup()).toEqual([]);
  expect(setup('--build')).toEqual(BUILD);
  change('src/index.ts', '{}', '{ }');
  expect(setup()).toEqual(BUILD);
});

test('what somebody has installed by himself is not installed again', () => {
  install({ pg: '8.0.0', server: '18.0.0' });
  expect(setup('--build')).toEqual(BUILD);
  expect(setup()).toEqual([]);
});

test.each<[string, Readonly<Record<string, string>>]>([
  ['lacks a package', { server: '18.0.0' }],
  ['has another version of a package', { pg: '8.0.1', server: '18.0.0' }],
  ["lacks this platform's optional package", { pg: '8.0.0' }],
  ['has another version of an optional one', { pg: '8.0.0', server: '17.0.0' }],
])('an installation that %s is made anew', (_, packages) => {
  install(packages);
  expect(setup()).toEqual(['npm ci', ...BUILD]);
});

test('an installation from which a folder was removed is made anew', () => {
  install({ pg: '8.0.0', server: '18.0.0' });
  fs.rmSync(join(clone, 'node_modules/pg'), { recursive: true });
  expect(setup()).toEqual(['npm ci', ...BUILD]);
});

test.each<[string, string, string, string[]]>([
  // The command has the libraries inside, so new ones have to be built into it.
  ['package-lock.json', '"version":"8.0.0"', '"version":"8.0.1"', BUILD],
  ['package.json', '"pg":"8.0.0"', '"pg":"8.0.1"', []],
])('a change of %s makes it install', (file, from, to, built) => {
  install({ pg: '8.0.0', server: '18.0.0' });
  expect(setup()).toEqual(BUILD);
  change(file, from, to);
  expect(setup()).toEqual(['npm ci', ...built]);
  expect(setup()).toEqual([]);
});
