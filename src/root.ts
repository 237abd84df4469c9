/**
 * The folder of this package. This file stays at the top of `src`: the command is built as one file
 * beside it, and finds the same folder.
 */
export const ROOT = new URL('../', import.meta.url);
