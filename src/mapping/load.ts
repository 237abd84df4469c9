import { existsSync, readFileSync } from 'node:fs';
import { TrueupError, messageOf } from '../core/errors.js';
import type { ReasonRegistry } from '../core/reasons.js';
import { complaints } from './complaints.js';
import { isOwn, OWN_MAPPING } from './own.js';
import { mappingFile, ownTablesFile, reasonsPart, type Mapping } from './schema.js';

/** The mapping file that is used when none is named and one lies in the current folder. */
const DEFAULT_FILE = 'trueup.config.json';

/** A mapping and where it came from, for messages. */
export interface LoadedMapping {
  readonly mapping: Mapping;
  readonly source: string;
}

/**
 * Reads the mapping: a given object, a named file, `trueup.config.json` of the current folder, or
 * Trueup's own tables.
 *
 * @throws TrueupError `config_not_found`, `config_invalid`
 */
export function loadMapping(
  config: string | Mapping | undefined,
  reasons?: ReasonRegistry,
): LoadedMapping {
  const loaded = read(config);
  if (reasons === undefined) return loaded;
  const more = { ...loaded.mapping.reasons, ...parseReasons(reasons) };
  return { ...loaded, mapping: { ...loaded.mapping, reasons: more } };
}

function read(config: string | Mapping | undefined): LoadedMapping {
  if (typeof config === 'object' && isOwn(config)) return { mapping: config, source: 'own tables' };
  if (typeof config === 'object')
    return { mapping: parse(config, 'config'), source: 'the mapping' };
  if (config !== undefined) return readMappingFile(config);
  if (existsSync(DEFAULT_FILE)) return readMappingFile(DEFAULT_FILE);
  return { mapping: OWN_MAPPING, source: 'own tables' };
}

function parseReasons(reasons: ReasonRegistry): Mapping['reasons'] {
  const result = reasonsPart.safeParse(reasons, { reportInput: true });
  if (result.success) return result.data;
  throw new TrueupError('config_invalid', `these are no reasons: ${complaints(result.error)}`);
}

function readMappingFile(file: string): LoadedMapping {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TrueupError('config_not_found', `cannot read ${file}: ${messageOf(cause)}`, {
      cause,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TrueupError('config_invalid', `${file} is not JSON: ${messageOf(cause)}`, { cause });
  }
  return { mapping: parse(json, file), source: file };
}

function parse(value: unknown, source: string): Mapping {
  const own = ownTablesFile.safeParse(value, { reportInput: true });
  if (own.success) return { ...OWN_MAPPING, reasons: own.data.reasons };
  const result = mappingFile.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  // Whoever names reasons alone means Trueup's own tables, and misses no part.
  const { error } = namesReasonsAlone(value) ? own : result;
  throw new TrueupError('config_invalid', `${source} is not a mapping: ${complaints(error)}`, {
    hint: 'A mapping names the parts ledger, wallet and profile; README.md shows one.',
  });
}

function namesReasonsAlone(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'reasons';
}
