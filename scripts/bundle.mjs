// Puts the command and the libraries that it uses into one file, and the library into another: of a start
// that took 0.7 s, 0.27 went into finding and reading some 250 modules of Trueup, and 0.1 into those of the
// libraries. Whoever uses the library has those anyway, and keeps them up to date himself.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { rolldown } from 'rolldown';

const PACKAGE = /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/;

const command = await bundled('dist/trueup.js', {
  input: 'dist/cli/main.js',
  external: ['pg-native'],
  // pg asks for `Response` to find out whether it runs at Cloudflare, and Node loads its whole HTTP
  // client to answer: 25 ms of every start. Nothing here makes one.
  transform: { define: { Response: 'undefined' } },
});
writeFileSync(
  'dist/trueup.licenses.txt',
  licences(command.flatMap(({ moduleIds = [] }) => moduleIds)),
);

await bundled('dist/index.js', {
  input: 'dist/index.js',
  external: (id) => !id.startsWith('.') && !isAbsolute(id),
});

async function bundled(file, options) {
  const bundle = await rolldown({ platform: 'node', ...options });
  const { output } = await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
  return output;
}

/** The licences of the libraries that went in ask that their text goes along. */
function licences(moduleIds) {
  const folders = new Set(moduleIds.flatMap((id) => PACKAGE.exec(id)?.[0] ?? []));
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
      const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
      const text = file === undefined ? '' : readFileSync(`${folder}/${file}`, 'utf8').trim();
      return `${name} ${version} (${license})\n\n${text}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
