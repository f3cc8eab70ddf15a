// Starts the real processes and the real clients, and reads the clients' own statistics.

import { spawn, execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AccessToken } from 'livekit-server-sdk';
import puppeteer from 'puppeteer-core';

export { sleep };

const bedside = process.env.BEDSIDE ?? 'bedside';
const dataplane = process.env.BEDSIDE_DATAPLANE ?? 'bedside-dataplane';
const run = promisify(execFile);

/** What a scenario at the level `trace` says is well below it. */
const LOG_CHARACTERS_MAX = 50_000_000;

/** A process of ours whose log is kept and shown when the test that started it fails. */
class Process {
  constructor(program, args) {
    this.log = '';
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr.on('data', (text) => {
      this.log = (this.log + text).slice(-LOG_CHARACTERS_MAX);
    });
    this.ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
  }

  /** The first line on standard output. */
  async firstLine() {
    const lines = createInterface({ input: this.child.stdout });
    const line = await Promise.race([
      new Promise((resolve) => lines.once('line', resolve)),
      this.ended.then((code) => {
        throw new Error(`ended with ${code} before its first line:\n${this.log}`);
      }),
    ]);
    lines.close();
    this.child.stdout.resume();
    return line;
  }

  async stop(signal = 'SIGTERM') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }
}

/** A running Bedside: `bedside demo`, or its two processes started one by one. */
export class Server {
  constructor(info, folder) {
    this.info = info;
    this.folder = folder;
    this.processes = [];
  }

  get http() {
    return this.info.url;
  }

  get ws() {
    return this.info.url.replace(/^http/, 'ws');
  }

  async secret() {
    return (await readFile(this.info.api_secret_file, 'utf8')).trim();
  }

  /** A LiveKit token, made by LiveKit's own server SDK. */
  async token(identity, grant, options = {}) {
    const token = new AccessToken(this.info.api_key, await this.secret(), {
      identity,
      ttl: '10m',
      ...options,
    });
    token.addGrant({ roomJoin: true, ...grant });
    return token.toJwt();
  }

  /** Runs the command-line tool; returns what it printed. */
  async cli(...args) {
    const socket = ['--admin-socket', this.info.admin_socket];
    const { stdout } = await run(bedside, [...args, ...socket]);
    return stdout;
  }

  /** Records of an action, the oldest first. */
  async records(action) {
    const lines = await this.cli('audit', 'search', '--action', action, '--limit', '1000', '--json');
    return lines.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line).entry).reverse();
  }

  async stop() {
    for (const process of this.processes.reverse()) await process.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  logs() {
    return this.processes.map((process) => process.log).join('\n');
  }
}

/** `bedside demo` on free ports in a folder of its own. */
export async function startDemo(...args) {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-'));
  const process = new Process(bedside, [
    'demo', '--json', '--listen', '127.0.0.1:0', '--data', folder,
    // Loopback for browsers; LiveKit's native SDKs do not use it.
    '--media-address', '127.0.0.1', '--media-address', '10.77.0.1', ...args,
  ]);
  const info = JSON.parse(await process.firstLine());
  const server = new Server(info, folder);
  server.processes.push(process);
  return server;
}

/** The two processes by themselves, so that either can be killed. `more` is added to the configuration. */
export async function startProcesses(more = '', { log = 'info' } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-'));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const config = join(folder, 'bedside.toml');
  const socket = join(folder, 'dataplane.sock');
  const secretFile = join(folder, 'secret');
  const secret = randomBytes(32).toString('hex');
  const private_ = { mode: 0o600 };
  await writeFile(secretFile, secret, private_);
  await writeFile(join(folder, 'api-keys'), `testkey: ${secret}\n`, private_);
  await writeFile(config, processesConfig({ folder, port, socket }) + more);
  const server = new Server(
    {
      url: `https://127.0.0.1:${port}`,
      ca_file: join(folder, 'ca.pem'),
      api_key: 'testkey',
      api_secret_file: secretFile,
      admin_socket: join(folder, 'admin.sock'),
    },
    folder,
  );
  server.dataplane = new Process(dataplane, ['--socket', socket, '--log', log]);
  server.startControl = async () => {
    server.control = new Process(bedside, ['serve', '--config', config, '--log', log]);
    server.processes.push(server.control);
    await eventually('the control plane is ready', async () => {
      await server.cli('status', '--json');
      return true;
    });
  };
  server.processes.push(server.dataplane);
  await server.startControl();
  return server;
}

function processesConfig({ folder, port, socket }) {
  return `profile = "trial"
allowed_origins = ["*"]
listen = ["127.0.0.1:${port}"]
data_directory = "${folder}"
dataplane_socket = "${socket}"

[tls]
development = true

[media]
listen = ["127.0.0.1", "10.77.0.1"]
pin = false
`;
}

export const chromiumFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
];

export function startChromium() {
  return puppeteer.launch({
    executablePath: '/usr/bin/chromium',
    acceptInsecureCerts: true,
    headless: true,
    args: chromiumFlags,
  });
}

export function startFirefox() {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    acceptInsecureCerts: true,
    headless: true,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'toolkit.telemetry.enabled': false,
    },
  });
}

/** A page of a fresh browser context on the server's own origin (for a secure context). */
async function newPage(browser) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  return page;
}

/** Follows a join link as a person would; `autojoin` skips the pre-join screen. */
export async function openLink(browser, link, { autojoin = true, name = 'Test' } = {}) {
  const page = await newPage(browser);
  const url = new URL(link);
  if (autojoin) url.searchParams.set('autojoin', '1');
  await page.goto(url.href);
  if (!autojoin) {
    const join = await page.waitForSelector('[data-testid=prejoin-join]:not([disabled])');
    const field = await page.$('[data-testid=name-input]');
    if (field && (await field.isVisible())) await field.type(name);
    await join.click();
  }
  await eventually('the page is connected', () =>
    page.evaluate(() => globalThis.bedside?.room?.state === 'connected'),
  );
  return page;
}

const require = createRequire(import.meta.url);
const clientLibrary = require.resolve('livekit-client').replace(/[^/]*$/, 'livekit-client.umd.js');

/** A page with LiveKit's browser SDK and nothing of ours; joins a room. */
export async function joinWithSdk(browser, server, token, { options = {}, publish = {} } = {}) {
  const page = await newPage(browser);
  if (page.setBypassCSP) await page.setBypassCSP(true).catch(() => {});
  await page.goto(`${server.http}/healthz`);
  await page.evaluate(await readFile(clientLibrary, 'utf8'));
  await page.evaluate(
    async (url, jwt, roomOptions, tracks) => {
      const { Room, RoomEvent } = globalThis.LivekitClient;
      const room = new Room(roomOptions);
      globalThis.bedside = { room, events: [], data: [] };
      for (const event of Object.values(RoomEvent)) {
        room.on(event, (...args) => globalThis.bedside.events.push([event, String(args[0])]));
      }
      room.on(RoomEvent.TrackSubscribed, (track) => {
        document.body.append(track.attach());
      });
      room.on(RoomEvent.DataReceived, (payload, from, kind, topic) => {
        globalThis.bedside.data.push({
          text: new TextDecoder().decode(payload), from: from?.identity, kind, topic,
        });
      });
      await room.connect(url, jwt);
      if (tracks.camera) await room.localParticipant.setCameraEnabled(true, tracks.camera.capture, tracks.camera.options);
      if (tracks.microphone) await room.localParticipant.setMicrophoneEnabled(true);
    },
    server.ws,
    token,
    options,
    publish,
  );
  return page;
}

/** Every statistics entry of every peer connection of the page's room. */
export function statistics(page) {
  return page.evaluate(async () => {
    const { room } = globalThis.bedside;
    const manager = room.engine.pcManager;
    const transports = [manager?.publisher, manager?.subscriber].filter(Boolean);
    const entries = [];
    for (const transport of transports) {
      const report = await transport.getStats();
      report.forEach((entry) => entries.push({ ...entry }));
    }
    return entries;
  });
}

/** What the page receives, summed over its inbound streams. */
export async function received(page) {
  const entries = await statistics(page);
  const inbound = (kind) => entries.filter((e) => e.type === 'inbound-rtp' && e.kind === kind);
  const sum = (list, key) => list.reduce((total, entry) => total + (entry[key] ?? 0), 0);
  const video = inbound('video').filter((e) => e.framesDecoded > 0);
  const audio = inbound('audio');
  const transport = entries.find((e) => e.type === 'transport' && e.dtlsState === 'connected');
  return {
    frames: sum(video, 'framesDecoded'),
    freezes: sum(video, 'freezeCount'),
    frozen_s: sum(video, 'totalFreezesDuration'),
    key_frames: sum(video, 'keyFramesDecoded'),
    width: Math.max(0, ...video.map((e) => e.frameWidth ?? 0)),
    video_packets: sum(video, 'packetsReceived'),
    video_lost: sum(video, 'packetsLost'),
    audio_packets: sum(audio, 'packetsReceived'),
    audio_energy: sum(audio, 'totalAudioEnergy'),
    audio_samples: sum(audio, 'totalSamplesReceived'),
    concealed: sum(audio, 'concealedSamples'),
    srtp: transport?.srtpCipher,
    tls: transport?.tlsVersion,
    dtls: transport?.dtlsCipher,
  };
}

/** Waits until the page decodes moving video and audible audio; returns the last figures. */
export async function seesAndHears(page, { within_ms = 20_000 } = {}) {
  const before = await received(page);
  return eventually(
    'video is decoded and audio is heard',
    async () => {
      const now = await received(page);
      return now.frames > before.frames + 10 && now.audio_energy > 0 && now;
    },
    within_ms,
  );
}

/** Calls `check` until it returns something truthy, which is returned. */
export async function eventually(what, check, within_ms = 20_000) {
  const deadline = Date.now() + within_ms;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const seen = last instanceof Error ? last.stack : JSON.stringify(last);
      throw new Error(`not within ${within_ms} ms: ${what} (last: ${seen})`);
    }
    await sleep(200);
  }
}

/** Runs a scenario with everything it starts stopped afterwards, showing the log if it fails. */
export async function scenario(start, body) {
  const server = await start();
  const browsers = [];
  const launch = async (browser) => {
    browsers.push(await browser());
    return browsers.at(-1);
  };
  try {
    return await body(server, launch);
  } catch (error) {
    console.error(server.logs().split('\n').slice(-80).join('\n'));
    throw error;
  } finally {
    await Promise.allSettled(browsers.map((browser) => browser.close()));
    await server.stop();
  }
}

/** Figures for the person who reads the run. */
export function report(what, figures) {
  console.log(`  ${what}: ${JSON.stringify(figures)}`);
}
