// Starts a real OpenID provider and a Bedside that logs in with it.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { startProcesses } from './harness.mjs';

const run = promisify(execFile);
const program = fileURLToPath(new URL('oidc-provider.mjs', import.meta.url));

/** A provider's process. */
class OpenIdProvider {
  #child = null;
  #arguments;
  #env;
  #keys = 0;

  constructor(options, ca) {
    this.#arguments = options;
    // It calls Bedside's back channel, whose certificate is of the trial's own authority.
    this.#env = { ...process.env, NODE_EXTRA_CA_CERTS: ca };
    this.issuer = `https://localhost:${options.port}`;
  }

  /** Starts with a new key; what it knew is forgotten. */
  async start() {
    this.#keys += 1;
    const options = { ...this.#arguments, kid: `key-${this.#keys}` };
    const child = spawn(process.execPath, [program, JSON.stringify(options)], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => {
        throw new Error('the provider ended before it was ready');
      }),
    ]);
  }

  async stop() {
    if (this.#child === null || this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
    this.#child = null;
  }

  /** Who logs in from now on, and how. */
  async person(person) {
    await new Promise((resolve, reject) => {
      const post = request(`${this.issuer}/person`, { method: 'POST', rejectUnauthorized: false });
      post.on('response', (response) => response.resume().on('end', resolve));
      post.on('error', reject);
      post.end(JSON.stringify({ name: 'Ada', roles: ['doctors'], amr: ['pwd', 'otp'], ...person }));
    });
  }
}

/** A page where whoever the provider has in front of it logged in; where that ended. */
export async function logIn(server, browser) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(`${server.base}/login`);
  return page;
}

/** Opens a consult on a clinician's page and makes a patient's link to it. */
export async function openConsult(clinic) {
  await (await clinic.waitForSelector('[data-testid=consult-open]')).click();
  await (await clinic.waitForSelector('[data-testid=consult-invite]')).click();
  const field = await clinic.waitForSelector('[data-testid=invitation]');
  const link = await field.evaluate((input) => input.value);
  const room = await clinic.$eval('[data-testid=consult]', (row) => row.dataset.room);
  return { room, link };
}

/** The clinician's own part in a consult, in another tab. */
export async function joinConsult(server, clinic, room) {
  const call = await clinic.browserContext().newPage();
  await call.goto(`${server.base}/consult?consult=${room}&autojoin=1`);
  return call;
}

/**
 * A server with a provider: `server.provider`, `server.base`. `more` is added to its configuration.
 */
export async function startWithProvider(more = '') {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-oidc-'));
  const port = 40_000 + Math.floor(Math.random() * 9_000);
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'certificate.pem');
  await run('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE',
  ]);
  const secret = join(folder, 'client-secret');
  await writeFile(secret, 'a secret between the two of them\n', { mode: 0o600 });
  const server = await startProcesses(`
[identity]
issuer = "https://localhost:${port}"
client_id = "bedside"
client_secret_file = "${secret}"
ca_file = "${certificate}"
roles = { doctors = "clinician" }
${more}`);
  // The cookie and the redirection are for the name, not the address.
  server.base = server.http.replace('127.0.0.1', 'localhost');
  const options = { port, key, certificate, bedside: server.base };
  server.provider = new OpenIdProvider(options, join(server.folder, 'development-ca.pem'));
  await server.provider.start();
  const stop = server.stop.bind(server);
  server.stop = async () => {
    await server.provider.stop();
    await stop();
  };
  return server;
}
