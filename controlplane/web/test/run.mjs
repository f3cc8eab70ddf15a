// Bundles the tests with the build's own esbuild (so that no second loader is needed), then runs
// them with Node's test runner.
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
// Inside node_modules: ignored by git, and imports of packages resolve from there.
const out = join(root, 'node_modules/.cache/bedside-tests');

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const names = (await readdir(here)).filter((name) => name.endsWith('.test.ts')).sort();
await build({
  absWorkingDir: root,
  entryPoints: names.map((name) => join('test', name)),
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
});
const files = names.map((name) => join(out, name.replace(/\.ts$/, '.mjs')));
const run = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-reporter=spec', ...files],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
process.exitCode = run.status ?? 1;
