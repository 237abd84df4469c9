import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Dialog } from '../../src/cli/ask.js';
import { adopt } from '../../src/cli/commands/adopt.js';
import { adoptOpenings } from '../../src/cli/commands/adopt-opening.js';
import { EXIT } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { makeFolder } from '../support/folder.js';
import { emptyDatabase } from './support.js';

/** What a person is asked, and what becomes of the answers. */

const db = await createDatabase('empty');
const folder = makeFolder('adopt');
const file = join(folder, 'mapping.json');

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  rmSync(file, { force: true });
  await emptyDatabase(db);
  await db.run(`
    CREATE TABLE profile (id int PRIMARY KEY, user_id int UNIQUE, coin_balance int);
    CREATE TABLE wallet (id int PRIMARY KEY, profile_id int UNIQUE REFERENCES profile, balance int);
    CREATE TABLE entry_a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text);
    CREATE TABLE entry_b (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet_id int REFERENCES wallet, amount int, reason text);
    INSERT INTO profile VALUES (1, 1, 5); INSERT INTO wallet VALUES (1, 1, 5);`);
});

/** A person who answers each question, one after the other, and then leaves. */
class Person implements Dialog {
  readonly interactive = true;
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  readonly printed: string[] = [];
  readonly said: string[] = [];
  asked = '';
  readonly #answers: string[];

  constructor(answers: readonly string[], terminal = false) {
    this.#answers = [...answers];
    if (terminal) Object.assign(this.output, { isTTY: true });
    this.output.setEncoding('utf8').on('data', (text: string) => {
      this.asked += text;
      if (/[)\]] $/.test(text)) this.#answer();
    });
  }

  #answer(): void {
    const answer = this.#answers.shift();
    if (answer === undefined) this.input.end();
    else this.input.write(answer);
  }

  print(line: string): void {
    this.printed.push(line);
  }

  say(line: string): void {
    this.said.push(line);
  }
}

const written = (): unknown => JSON.parse(readFileSync(file, 'utf8'));

const run = (person: Dialog): ReturnType<typeof adopt> =>
  adopt({ databaseUrl: db.url, output: file, quiet: true }, person);

describe('the mapping', () => {
  test('yes writes what was shown', async () => {
    const person = new Person(['Yes\n']);
    expect(await run(person)).toBe(EXIT.ok);
    expect(written()).toMatchObject({
      ledger: { table: 'entry_a' },
      profile: { table: 'profile' },
    });
    expect(person.asked).toContain('a number from 1 to 3');
  });

  test('a number shows another mapping, and then yes means that one', async () => {
    const person = new Person(['3\n', '2\n', 'y\n']);
    expect(await run(person)).toBe(EXIT.ok);
    expect(person.printed.filter((text) => text.startsWith('ledger  '))).toHaveLength(3);
    expect(written()).toMatchObject({ ledger: { table: 'entry_a' } });
    expect(written()).not.toHaveProperty('profile');
  });

  test('what means nothing is asked again', async () => {
    const person = new Person(['what?\n', '\n', '0\n', '4\n', 'y\n']);
    expect(await run(person)).toBe(EXIT.ok);
    expect(person.asked.match(/Write this mapping/g)).toHaveLength(5);
  });

  test.each([
    ['q', ['q\n'], false],
    ['no', ['no\n'], false],
    ['end of input', [], false],
    ['Ctrl-C', ['\u0003'], true],
    ['Ctrl-D', ['\u0004'], true],
  ])('%s writes nothing', async (_, answers, terminal) => {
    const person = new Person(answers, terminal);
    expect(await run(person)).toBe(EXIT.incomplete);
    expect(existsSync(file)).toBe(false);
    expect(person.said.at(-1)).toBe('nothing was written');
  });
});

describe('opening balances', () => {
  const options = { databaseUrl: db.url, config: file };

  beforeEach(async () => {
    await run(new Person(['y\n']));
  });

  const entries = (): Promise<string> => db.value('SELECT count(*)::text FROM entry_a');

  test('are posted after a yes', async () => {
    const person = new Person(['y\n']);
    expect(await adoptOpenings(options, person)).toBe(EXIT.ok);
    expect(person.asked).toContain('Post the opening entry with the reason "opening_balance"?');
    expect(await entries()).toBe('1');
  });

  test.each([
    ['an empty answer', ['\n']],
    ['no', ['n\n']],
    ['end of input', []],
  ])('are not after %s', async (_, answers) => {
    const person = new Person(answers);
    expect(await adoptOpenings(options, person)).toBe(EXIT.incomplete);
    expect(await entries()).toBe('0');
    expect(await db.value(`SELECT to_regnamespace('trueup') IS NULL`)).toBe(true);
  });
});
