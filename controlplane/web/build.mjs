// Builds the page into dist/: index.html, app.js, app.css. Names are fixed and nothing is inline,
// so that the server can embed the three files and send a Content-Security-Policy without hashes.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const out = join(root, 'dist');

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

await build({
  absWorkingDir: root,
  entryPoints: { app: 'src/main.ts' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  // The oldest browsers that the page accepts; keep in step with docs/operating/consult-page.md.
  target: ['chrome109', 'edge109', 'firefox115', 'safari16.4'],
  legalComments: 'eof',
  logLevel: 'warning',
});
await build({
  absWorkingDir: root,
  entryPoints: { app: 'src/styles/app.css' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  target: ['chrome109', 'edge109', 'firefox115', 'safari16.4'],
  logLevel: 'warning',
});

// index.html takes its few words from the strings module, so that a translation is one file.
const bundled = await build({
  absWorkingDir: root,
  entryPoints: ['src/strings.ts'],
  bundle: true,
  write: false,
  format: 'esm',
  logLevel: 'warning',
});
const source = Buffer.from(bundled.outputFiles[0].contents).toString('base64');
const { text } = await import(`data:text/javascript;base64,${source}`);
const words = { language: text.language, title: text.title, noscript: text.noscript };
const template = await readFile(join(root, 'static/index.html'), 'utf8');
const html = template.replace(/\{\{(\w+)\}\}/g, (_, name) => {
  if (!(name in words)) throw new Error(`static/index.html asks for an unknown word: ${name}`);
  return escapeHtml(words[name]);
});
await writeFile(join(out, 'index.html'), html);

function escapeHtml(value) {
  return value.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}
