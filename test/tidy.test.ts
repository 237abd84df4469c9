import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, dirname } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

/** The house rules of ARCHITECTURE.md, as a test. Each of them was seen to fail once. */

const ROOT = resolve(import.meta.dirname, '..');
const MAX_FILE_LINES = 300;
const MAX_FUNCTION_LINES = 70;

/** Folders of src from left to right: imports run only to the left (or stay at home). */
const LAYERS: readonly (readonly string[])[] = [
  ['root.ts'],
  ['version.ts'],
  ['core'],
  ['postgres'],
  ['mapping'],
  ['ledger', 'sync'],
  ['reconcile'],
  ['doctor'],
  ['operations'],
  ['engine'],
  ['index.ts'],
  ['bench'],
  ['cli'],
];

/** The only files that hold SQL: statements of a part, and generators of SQL from a mapping. */
const SQL_HOME = /(^|[/-])statements\.ts$|(^|\/)generate(-[a-z]+)?\.ts$/;

/** Files outside them that may say what no statements file can: transaction control and the server. */
const SQL_EXCEPTIONS = new Set([
  'postgres/database.ts', // BEGIN, COMMIT, ROLLBACK and the version check
  'postgres/embedded/server.ts', // CREATE DATABASE and presence, before any pool exists
  'reconcile/rows.ts', // the select list that belongs to its decoder
]);

const SQL_WORDS = new RegExp(
  [
    'SELECT\\b[^]*\\bFROM',
    'INSERT\\s+INTO',
    'UPDATE\\s+[\\w".$]+\\s+(AS\\s+\\w+\\s+)?SET',
    'DELETE\\s+FROM',
    '(CREATE|DROP|ALTER)\\s+(TABLE|SCHEMA|INDEX|TRIGGER|FUNCTION)',
  ]
    .map((words) => `\\b${words}\\b`)
    .join('|'),
);

interface Source {
  readonly file: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

const sources = readSources('src');
const tests = readSources('test');

function readSources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const text = readFileSync(join(ROOT, folder, name), 'utf8');
      return {
        file: name,
        text,
        tree: ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true),
      };
    });
}

/** Every place where a rule is broken, as text; the expectation is that there is none. */
function offences(all: readonly Source[], find: (source: Source) => readonly string[]): string[] {
  return all.flatMap((source) => find(source).map((what) => `${source.file}: ${what}`));
}

function nodesOf(source: Source): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(source.tree);
  return nodes;
}

function lineOf(source: Source, position: number): number {
  return source.tree.getLineAndCharacterOfPosition(position).line + 1;
}

/** The files of src that a file imports, relative to src. */
function importsOf(source: Source): string[] {
  return source.tree.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const specifier = statement.moduleSpecifier;
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return [];
    if (!specifier.text.startsWith('.')) return [];
    const target = resolve(ROOT, 'src', dirname(source.file), specifier.text);
    return [relative(join(ROOT, 'src'), target).replace(/\.js$/, '.ts')];
  });
}

function layerOf(file: string): number {
  const place = file.split('/')[0] ?? file;
  return LAYERS.findIndex((layer) => layer.includes(place));
}

describe('size', () => {
  test(`no file has more than ${String(MAX_FILE_LINES)} lines`, () => {
    expect(
      offences([...sources, ...tests], ({ text }) => {
        const lines = text.split('\n').length - 1;
        return lines > MAX_FILE_LINES ? [`${String(lines)} lines`] : [];
      }),
    ).toEqual([]);
  });

  test(`no function has more than ${String(MAX_FUNCTION_LINES)} lines`, () => {
    expect(
      offences(sources, (source) =>
        nodesOf(source).flatMap((node) => {
          if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return [];
          const first = lineOf(source, node.getStart());
          const length = lineOf(source, node.getEnd()) - first + 1;
          return length > MAX_FUNCTION_LINES ? [`${String(length)} lines at ${String(first)}`] : [];
        }),
      ),
    ).toEqual([]);
  });
});

describe('imports', () => {
  test('every folder has its layer', () => {
    expect(offences(sources, ({ file }) => (layerOf(file) < 0 ? ['no layer'] : []))).toEqual([]);
  });

  test('imports run to the left only', () => {
    expect(
      offences(sources, (source) =>
        importsOf(source).filter((target) => {
          const sameFolder = target.split('/')[0] === source.file.split('/')[0];
          return !sameFolder && layerOf(target) >= layerOf(source.file);
        }),
      ),
    ).toEqual([]);
  });

  test('there is no cycle', () => {
    const graph = new Map(sources.map((source) => [source.file, importsOf(source)]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
        return;
      }
      if (done.has(file)) return;
      for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of graph.keys()) visit(file, []);
    expect(cycles).toEqual([]);
    expect(graph.size).toBeGreaterThan(20);
  });

  test('core is pure: no await, no node module, no package, no clock, no chance', () => {
    const core = sources.filter(({ file }) => file.startsWith('core/'));
    expect(core.length).toBeGreaterThan(3);
    expect(
      offences(core, (source) => [
        ...(/\bawait\b|\basync\b/.test(source.text) ? ['waits'] : []),
        ...(/from '(?!\.)/.test(source.text) ? ['imports a package'] : []),
        ...(/Date\.now|new Date|Math\.random|performance\.|process\./.test(source.text)
          ? ['looks at the world']
          : []),
      ]),
    ).toEqual([]);
  });
});

describe('content', () => {
  test('SQL has few homes', () => {
    expect(
      offences(sources, (source) => {
        if (SQL_HOME.test(source.file) || SQL_EXCEPTIONS.has(source.file)) return [];
        return nodesOf(source)
          .filter((node) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node))
          .filter((node) => SQL_WORDS.test(node.getText()))
          .map((node) => `SQL at ${String(lineOf(source, node.getStart()))}`);
      }),
    ).toEqual([]);
  });

  test('no any', () => {
    expect(
      offences([...sources, ...tests], (source) =>
        nodesOf(source)
          .filter((node) => node.kind === ts.SyntaxKind.AnyKeyword)
          .map((node) => `any at ${String(lineOf(source, node.getStart()))}`),
      ),
    ).toEqual([]);
  });

  test('nothing is caught and forgotten', () => {
    expect(
      offences(sources, (source) =>
        nodesOf(source)
          .filter((node) => ts.isCatchClause(node) && node.block.statements.length === 0)
          .map((node) => `empty catch at ${String(lineOf(source, node.getStart()))}`),
      ),
    ).toEqual([]);
  });

  test('nothing is left for later, and no test is skipped or alone', () => {
    const later = new RegExp(
      `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`,
    );
    expect(
      offences([...sources, ...tests], ({ text }) => [
        ...(later.test(text) ? ['left for later'] : []),
        ...(/\b(it|test|describe)\.(only|todo)\b/.test(text) ? ['focused or empty test'] : []),
      ]),
    ).toEqual([]);
  });

  test('every public function of the index has a doc comment', () => {
    const documented = sources.filter(({ file }) => file.startsWith('engine/'));
    expect(
      offences(documented, (source) =>
        nodesOf(source)
          .filter((node) => ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node))
          .filter((node) => !node.name?.getText().startsWith('#'))
          .filter((node) => isExported(node) && ts.getJSDocCommentsAndTags(node).length === 0)
          .map((node) => node.name?.getText() ?? 'a function'),
      ),
    ).toEqual([]);
  });
});

function isExported(node: ts.FunctionDeclaration | ts.MethodDeclaration): boolean {
  if (ts.isMethodDeclaration(node)) return true;
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
}
