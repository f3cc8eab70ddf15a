// Builds the page into dist/: index.html, app.js, app.css. Names are fixed and nothing is inline,
// so that the server can embed the three files and send a Content-Security-Policy without hashes.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const out = join(root, 'dist');

/** The oldest browsers that the page accepts; keep in step with docs/operating/consult-page.md. */
const target = ['chrome109', 'edge109', 'firefox115', 'safari16.4'];

const files = new Map([
  ...(await bundle({ entryPoints: { app: 'src/main.ts' }, minify: true, legalComments: 'eof' })),
  ...(await bundle({ entryPoints: { app: 'src/styles/app.css' }, minify: true })),
  ['index.html', await indexHtml()],
]);
await mkdir(out, { recursive: true });
for (const name of await readdir(out)) if (!files.has(name)) await rm(join(out, name));
for (const [name, content] of files) {
  const path = join(out, name);
  // A file that stays the same keeps its time, so that the server is not built again for it.
  const present = await readFile(path, 'utf8').catch(() => null);
  if (present !== content) await writeFile(path, content);
}

/** The text of each file that esbuild makes of some entry points. */
async function bundle(options) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    outdir: out,
    bundle: true,
    write: false,
    format: 'esm',
    target,
    logLevel: 'warning',
    ...options,
  });
  return outputFiles.map((file) => [basename(file.path), file.text]);
}

/** The shell takes its few words from the strings module, so that a translation is one file. */
async function indexHtml() {
  const [[, source]] = await bundle({ entryPoints: ['src/strings.ts'] });
  const encoded = Buffer.from(source).toString('base64');
  const { text } = await import(`data:text/javascript;base64,${encoded}`);
  const words = { language: text.language, title: text.title, noscript: text.noscript };
  const template = await readFile(join(root, 'static/index.html'), 'utf8');
  return template.replace(/\{\{(\w+)\}\}/g, (_, name) => {
    if (!(name in words)) throw new Error(`static/index.html asks for an unknown word: ${name}`);
    return escapeHtml(words[name]);
  });
}

function escapeHtml(value) {
  return value.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}
