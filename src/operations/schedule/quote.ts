/** How a word is written so that others read it as it is: a shell, cron, systemd, YAML. */

/** For a shell. */
export function forShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A whole line for cron, where a percent sign ends the command unless it is escaped. */
export function forCron(line: string): string {
  return line.replaceAll('%', '\\%');
}

/** For a command line of systemd, which knows specifiers (%), variables ($) and escapes. */
export function forSystemd(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  if (/^[A-Za-z0-9_@%$+=:,./-]+$/.test(plain)) return plain;
  return `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** A path as the value of a setting of systemd: no quotes there, and only specifiers are special. */
export function forSystemdPath(path: string): string {
  return path.replaceAll('%', '%%');
}

/** For YAML, of which JSON is a part. */
export function forYaml(word: string): string {
  return JSON.stringify(word);
}

/** For the arguments of a container, in which Kubernetes replaces $(NAME). */
export function forKubernetes(word: string): string {
  return word.replaceAll('$(', '$$$$(');
}
