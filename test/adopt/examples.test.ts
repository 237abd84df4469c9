import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { proposeMapping } from '../../src/index.js';
import { createDatabase } from '../support/database.js';
import { ACTIVITY } from '../cli/deltacrown.js';
import { example } from '../cli/fixture.js';

/**
 * The two examples that lie beside the project: exactly the mappings that lie with them, and on top of
 * them the activity table, where there is one.
 */

const ACTIVITIES: Readonly<Record<string, object>> = { deltacrown: ACTIVITY };

for (const name of ['deltacrown', 'czech-bank']) {
  const { describe, config, ...files } = example(name);
  const db = await createDatabase('empty');

  describe(`the example ${name}`, () => {
    test('its own mapping is proposed, key by key', async () => {
      await db.run(files.read('schema.sql').toString());
      const { proposals } = await proposeMapping({ databaseUrl: db.url });
      const wanted: unknown = JSON.parse(readFileSync(config, 'utf8'));
      const { activity, ...mapping } = proposals[0]?.mapping ?? {};
      expect(mapping).toEqual(wanted);
      // The order of the keys is that of the example too.
      expect(JSON.stringify(mapping)).toBe(JSON.stringify(wanted));
      expect(activity).toEqual(ACTIVITIES[name]);
      expect(JSON.stringify(activity)).toBe(JSON.stringify(ACTIVITIES[name]));
    });
  });
}
