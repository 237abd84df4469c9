#!/usr/bin/env node
import { existsSync } from 'node:fs';

const entry = new URL('../dist/trueup.js', import.meta.url);
if (!existsSync(entry)) {
  console.error('trueup is not built yet: run `npm ci && npm run build` in its folder first');
  process.exit(1);
}
const { main } = await import(entry.href);
await main(process.argv.slice(2));
