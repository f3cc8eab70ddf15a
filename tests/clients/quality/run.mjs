// Real browsers on bad networks: `cargo xtask quality` runs this in a network namespace of its own.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { loadavg, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';
import { chromiumFlags, eventually, sleep, startDemo } from '../harness.mjs';
import { delays, match, quantile, TONES_HZ } from './measures.mjs';
import * as inPage from './page.mjs';
import { Relay } from './relay.mjs';
import { html, line } from './report.mjs';
import { LEG_DELAY_MS, profiles, rows } from './rows.mjs';
import { writePicture, writeSound } from './sources.mjs';

/** What joining and settling may take before a run counts. */
const SETUP_S_MAX = 60;
/** How long a call runs before it counts: estimates and jitter buffers settle. */
const WARM_UP_MS = 8_000;
/** Joins whose first frame is timed. */
const JOINS = 5;
const BASELINE_S = 20;
const SAMPLE_INTERVAL_MS = 250;
/** The relay's own error may not be more than this at p99, or a run says nothing. */
const RELAY_LATE_US_MAX = 1_000;

/** The audio clock stands still when the browser has no time to play: more of it, and figures are its. */
const CLOCK_DRIFT_MS_MAX = 100;

const require = createRequire(import.meta.url);
const clientLibrary = require.resolve('livekit-client').replace(/[^/]*$/, 'livekit-client.umd.js');

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    html: { type: 'string' },
    commit: { type: 'string', default: 'unknown' },
  },
});

await main();

async function main() {
  const unknown = options.only.find((name) => !rows.some((row) => row.name === name));
  if (unknown) throw new Error(`no row ${unknown}; there are ${rows.map((row) => row.name).join(', ')}`);
  const seconds = Number(options.seconds);
  if (!(seconds >= 5 && seconds <= 600)) throw new Error('--seconds is between 5 and 600');
  const chosen = rows.filter((row) => options.only.length === 0 || options.only.includes(row.name));
  const folder = await mkdtemp(join(tmpdir(), 'bedside-quality-'));
  try {
    const sources = { sound: join(folder, 'sound.wav'), picture: join(folder, 'picture.y4m') };
    await Promise.all([writeSound(sources.sound), writePicture(sources.picture)]);
    const report = {
      commit: options.commit,
      date: new Date().toISOString(),
      seconds,
      seed: Number(options.seed),
      machine: { processors: cpus().length, model: cpus()[0]?.model },
      baseline: await bounded('the baseline', BASELINE_S, (stop) => baseline(sources, stop)),
      runs: [],
    };
    console.log(line.baseline(report.baseline));
    console.log(line.header);
    for (const row of chosen) {
      for (const leg of row.legs) {
        const what = `${row.name}, ${leg}`;
        const run = await bounded(what, seconds, (stop) => measure(row, leg, seconds, folder, sources, stop));
        report.runs.push(run);
        for (const goal of run.goals) console.log(line.goal(run, goal));
        for (const warning of run.warnings) console.log(line.warning(run, warning));
      }
    }
    const goals = report.runs.flatMap((run) => run.goals);
    console.log(`${goals.filter((goal) => goal.met).length} of ${goals.length} goals are met`);
    if (options.json) await writeFile(options.json, JSON.stringify(report));
    if (options.html) await writeFile(options.html, html(report));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Runs `body` no longer than it may take. It hands `stop` what ends each thing that it starts; all of
 * them are ended here, the last first, however it ended.
 */
async function bounded(what, seconds, body) {
  const stops = [];
  const limit_s = seconds + 2 * SETUP_S_MAX;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${limit_s} s`)), limit_s * 1_000);
  });
  try {
    return await Promise.race([body((end) => stops.push(end)), late]);
  } catch (error) {
    throw new Error(`${what}: ${error.message}`, { cause: error });
  } finally {
    clearTimeout(timer);
    for (const end of stops.reverse()) await end().catch(() => {});
  }
}

async function startBrowser({ sound, picture }, stop) {
  const browser = await puppeteer.launch({
    executablePath: '/usr/bin/chromium',
    acceptInsecureCerts: true,
    headless: true,
    args: [
      ...chromiumFlags,
      `--use-file-for-fake-audio-capture=${sound}`,
      `--use-file-for-fake-video-capture=${picture}`,
    ],
  });
  stop(() => browser.close());
  return browser;
}

async function newPage(browser) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  return page;
}

/** Chromium to itself: what the browser alone takes, in the same minutes on the same machine. */
async function baseline(sources, stop) {
  const server = await startDemo();
  stop(() => server.stop());
  const browser = await startBrowser(sources, stop);
  const page = await newPage(browser);
  await page.setBypassCSP(true);
  // Any page of a secure origin.
  await page.goto(`${server.http}/healthz`);
  await page.evaluate(inPage.listen, TONES_HZ);
  await page.evaluate(inPage.pair);
  const run = await record(page, BASELINE_S, () => {});
  return { ...summary(run), delays: run.delays, frames: run.frames };
}

async function measure(row, leg, seconds, folder, sources, stop) {
  const server = await startDemo();
  stop(() => server.stop());
  const ports = await serverPorts();
  const relays = [];
  const networks = profiles(row, leg, seconds, Number(options.seed));
  for (const name of ['sender', 'receiver']) {
    const relay = await Relay.start(name, networks[name], ports, seconds + 2 * SETUP_S_MAX, folder);
    stop(() => relay.kill());
    relays.push(relay);
  }
  const relayed = Object.fromEntries(relays.map((relay) => [relay.name, relay.ports]));
  const browser = await startBrowser(sources, stop);
  const joins = row.joins ? await joinTimes(browser, server, relayed) : undefined;
  const page = await callPage(browser, server, relayed);
  const recording = await record(page, seconds, () => relays.forEach((relay) => relay.begin()));
  const statistics = {};
  for (const relay of relays) statistics[relay.name] = await relay.stop();
  const run = {
    row: row.name, title: row.title, leg, seconds, joins, ...recording, relays: statistics,
    top_height: 720, load: loadavg()[0],
  };
  const warnings = doubts(run, relayed);
  return { ...run, ...summary(run), goals: row.goals(run), warnings };
}

/** UDP ports that are open on loopback: in this namespace, before a browser runs, the server's. */
async function serverPorts() {
  const sockets = (await readFile('/proc/net/udp', 'utf8')).split('\n').slice(1);
  const local = sockets.map((socket) => socket.trim().split(/\s+/)[1]?.split(':')).filter(Boolean);
  // 127.0.0.1 as the kernel prints it on a little-endian machine.
  const ports = local.filter(([address]) => address === '0100007F').map(([, port]) => parseInt(port, 16));
  if (ports.length === 0) throw new Error('the data plane has no port on 127.0.0.1');
  return [...new Set(ports)];
}

/** From the click to the first remote frame, through the consult page, for one patient after another. */
async function joinTimes(browser, server, relayed) {
  const clinician = await consultPage(browser, relayed, 'sender');
  const url = new URL(server.info.clinician_link);
  url.searchParams.set('autojoin', '1');
  await clinician.goto(url.href);
  await eventually('the clinician is in the consult', () =>
    clinician.evaluate(() => globalThis.bedside?.room?.localParticipant.isCameraEnabled === true),
  );
  const times = [];
  for (let number = 0; number < JOINS; number += 1) {
    const link = await server.cli(
      'link', 'create', '--role', 'patient', '--room', 'demo', '--name', 'Patient', '--json',
    );
    const page = await consultPage(browser, relayed, 'receiver');
    await page.goto(JSON.parse(link).link);
    const join = await page.waitForSelector('[data-testid=prejoin-join]:not([disabled])');
    await join.click();
    const timings = await eventually('the first remote frame is shown', () =>
      page.evaluate(() => globalThis.bedside.timings.firstRemoteVideoMs !== null && globalThis.bedside.timings),
    );
    times.push(timings.firstRemoteVideoMs - timings.joinClickMs);
    await page.browserContext().close();
  }
  await clinician.browserContext().close();
  return { times_ms: times, median: quantile(times, 0.5), slowest: Math.max(...times) };
}

/** The consult page over one leg. HTTP and signalling take the leg's round trip as well. */
async function consultPage(browser, relayed, leg) {
  const page = await newPage(browser);
  await page.evaluateOnNewDocument(inPage.install, relayed, leg);
  await page.emulateNetworkConditions({ download: -1, upload: -1, latency: 2 * LEG_DELAY_MS });
  return page;
}

/** Two people in one page, so that both ends have the same clock. */
async function callPage(browser, server, relayed) {
  const page = await newPage(browser);
  await page.evaluateOnNewDocument(inPage.install, relayed, 'sender');
  await page.setBypassCSP(true);
  await page.goto(`${server.http}/healthz`);
  await page.evaluate(await readFile(clientLibrary, 'utf8'));
  await page.evaluate(inPage.listen, TONES_HZ);
  const room = 'quality';
  const tokens = {
    sender: await server.token('sender', { room }),
    receiver: await server.token('receiver', { room }),
  };
  await page.evaluate(inPage.call, server.ws, tokens);
  return page;
}

/** Lets the call settle, then records `seconds` of it; `begin` is called when they begin. */
async function record(page, seconds, begin) {
  await eventually('audio is heard and video is shown', () =>
    page.evaluate(() => globalThis.measured.heard.length > 5 && globalThis.measured.frames.length > 10),
  );
  await sleep(WARM_UP_MS);
  await page.evaluate(inPage.sample, SAMPLE_INTERVAL_MS);
  const clock = await page.evaluate(inPage.clocks);
  begin();
  await sleep(seconds * 1_000);
  const last = await page.evaluate(inPage.clocks);
  // What was sent last is heard later.
  await sleep(2_000);
  const all = await page.evaluate(inPage.recorded);
  const within = (at) => at >= 0 && at <= seconds;
  const onPage = (at) => at - clock.page;
  const bursts = (list) => list.map(({ at, tone }) => ({ at: at - clock.audio, tone }));
  const { delays: matched, unheard } = match(
    bursts(all.sent).filter(({ at }) => within(at)),
    bursts(all.heard).filter(({ at }) => at >= 0),
  );
  return {
    seconds,
    began_unix_ms: clock.origin_unix_ms + clock.page * 1_000,
    // By how much the two clocks ran apart.
    clock_drift_ms: (last.audio - clock.audio - (last.page - clock.page)) * 1_000,
    delays: matched,
    unheard,
    frames: all.frames.map(([at, height]) => [onPage(at), height]).filter(([at]) => within(at)),
    samples: all.samples.map((entry) => ({ ...entry, at: onPage(entry.at) })),
    events: all.events.map(([at, text]) => [onPage(at), text]),
  };
}

/** Figures that every run has. */
function summary(run) {
  const { p50, p99, max } = delays(run);
  const [first, last] = [run.samples[0], run.samples.at(-1)];
  const video = (key) => (last?.video?.[key] ?? 0) - (first?.video?.[key] ?? 0);
  return {
    audio_ms: { p50, p99, max, bursts: run.delays.length, unheard: run.unheard },
    video: {
      frames: run.frames.length,
      freezes: video('freezeCount'),
      frozen_s: video('totalFreezesDuration'),
      received_kbps: (video('bytesReceived') * 8) / 1_000 / run.seconds,
    },
  };
}

/** Reasons not to believe a run. */
function doubts(run, relayed) {
  const found = [];
  for (const [name, relay] of Object.entries(run.relays)) {
    const { p99 } = relay.late_us;
    if (p99 > RELAY_LATE_US_MAX) found.push(`the ${name}'s relay was late by ${p99} us at p99`);
    if (relay.send_errors > 0) found.push(`the kernel did not take ${relay.send_errors} packets of the ${name}'s relay`);
    if (relay.refused_flows + relay.up.dropped_bound + relay.down.dropped_bound > 0) {
      found.push(`the ${name}'s relay reached one of its bounds`);
    }
    const used = run.samples.at(-1)?.legs[name]?.remote_port;
    if (!Object.values(relayed[name]).includes(used)) found.push(`the ${name} does not send to its relay`);
  }
  if (Math.abs(run.clock_drift_ms) > CLOCK_DRIFT_MS_MAX) {
    found.push(`audio and page clock ran ${run.clock_drift_ms.toFixed(0)} ms apart`);
  }
  if (run.delays.some(([, ms]) => ms < 2 * LEG_DELAY_MS)) {
    found.push('a sound was heard before the network can have brought it');
  }
  const reconnects = run.events.filter(([, text]) => /reconnect|disconnect/i.test(text));
  for (const [at, text] of reconnects) found.push(`${text} at ${at.toFixed(1)} s`);
  return found;
}
