import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** What somebody gets who installs the package. */

const ROOT = resolve(import.meta.dirname, '..');

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly types?: string;
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

function packed(): string[] {
  // Without scripts: packing builds, and other tests run what is built.
  const run = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(run.status, run.stderr).toBe(0);
  const list = JSON.parse(run.stdout) as unknown;
  // npm 12 names the package, older ones give a list.
  const [content] = Object.values(list as Record<string, { files: { path: string }[] }>);
  return content?.files.map(({ path }) => path) ?? [];
}

test('the program, the library, the migrations, and every page that the README leads to', () => {
  const files = packed();
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const pages = [...readme.matchAll(/\]\((?!http)([^)#]+)/g)].map(([, link]) => link ?? '');
  expect(pages).toContain('docs/errors.md');
  for (const page of pages) {
    expect(
      files.some((file) => file === page || file.startsWith(`${page}/`)),
      page,
    ).toBe(true);
  }
  expect(files).toContain('bin/trueup.mjs');
  for (const file of readdirSync(join(ROOT, 'sql'))) expect(files).toContain(`sql/${file}`);
  // The command is one file, the library another; of what they were made only the types go along.
  const programs = files.filter((file) => file.startsWith('dist/') && !file.endsWith('.d.ts'));
  expect(programs.sort()).toEqual([
    ...['dist/index.js', 'dist/root.js', 'dist/trueup.js', 'dist/trueup.licenses.txt'],
    'dist/version.js',
  ]);
  expect(files.filter((file) => /^(src|test|scripts|node_modules|\.)|\/\./.test(file))).toEqual([]);
});

test('the types of every package that the library builds on', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const library = files.filter((file) => file.endsWith('.ts') && !/^(cli|bench)\b/.test(file));
  const packages = new Set(
    library.flatMap((file) =>
      [...readFileSync(join(ROOT, 'src', file), 'utf8').matchAll(/ from '([^'.$][^':]*)'/g)].map(
        ([, name]) => name ?? '',
      ),
    ),
  );
  expect(packages).toContain('pg');
  const { dependencies } = manifest(ROOT);
  const untyped = [...packages].filter(
    (name) =>
      manifest(join(ROOT, 'node_modules', name)).types === undefined &&
      dependencies[`@types/${name}`] === undefined,
  );
  expect(untyped).toEqual([]);
});
