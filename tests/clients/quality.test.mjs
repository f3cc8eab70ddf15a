// What `cargo xtask quality` makes of what it records, on recordings whose figures are known.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  BURST_INTERVAL_S, concealed, delays, drop, frames, match, quantile, rise, TONES_HZ,
} from './quality/measures.mjs';
import { html } from './quality/report.mjs';
import { profiles, rows } from './quality/rows.mjs';
import { writeSound } from './quality/sources.mjs';

const bursts = (count, late_s = 0) =>
  Array.from({ length: count }, (_, index) => ({
    at: index * BURST_INTERVAL_S + late_s, tone: index % TONES_HZ.length,
  }));

test('a burst is matched with its own sound, however late and whatever is missing', () => {
  const sent = bursts(120);
  for (const late_s of [0.05, 0.3, 1.2, 4]) {
    const heard = bursts(120, late_s).filter((_, index) => index % 7 !== 3);
    const { delays: matched, unheard } = match(sent, heard);
    const missing = sent.filter((_, index) => index % 7 === 3 && sent.at(-1).at - sent[index].at > 4.7);
    assert.equal(unheard, missing.length);
    assert.equal(matched.length, heard.length);
    for (const [, ms] of matched) assert.ok(Math.abs(ms - late_s * 1_000) < 0.001, `${ms} ms`);
  }
});

test('quantiles are values that were measured', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.equal(quantile(values, 0.5), 100);
  assert.equal(quantile(values, 0.99), 198);
  assert.equal(quantile(values, 1), 200);
  assert.equal(quantile([], 0.5), null);
  assert.deepEqual(delays({ delays: [[0, 90], [1, 110]] }), { p50: 90, p99: 110, max: 110 });
});

test('silence that was made up is not concealed sound', () => {
  const audio = (concealedSamples, silentConcealedSamples, totalSamplesReceived) => ({
    concealedSamples, silentConcealedSamples, totalSamplesReceived,
  });
  const samples = [
    { at: 0, audio: audio(1_000, 500, 48_000) },
    { at: 5, audio: audio(9_000, 500, 288_000) },
    { at: 10, audio: audio(12_000, 3_000, 528_000) },
  ];
  assert.equal(concealed({ samples }), (100 * 8_500) / 480_000);
  assert.equal(concealed({ samples }, 5), (100 * 500) / 240_000);
  assert.equal(concealed({ samples: [] }), null);
});

test('a picture that stands still is seen', () => {
  const shown = Array.from({ length: 100 }, (_, index) => [index / 10, 720]);
  assert.deepEqual(frames({ frames: shown, seconds: 10 }).rate, 10);
  const gap = shown.filter(([at]) => at < 4 || at >= 4.75);
  assert.ok(Math.abs(frames({ frames: gap, seconds: 10 }).longest_ms - 900) < 1);
  assert.equal(frames({ frames: [], seconds: 10 }).longest_ms, 10_000);
});

test('a drop is read from what was heard and shown after it', () => {
  const run = {
    delays: Array.from({ length: 60 }, (_, at) => [at, at < 20 ? 95 : at <= 22 ? 390 : 120]),
    frames: Array.from({ length: 600 }, (_, index) => {
      const at = index / 10;
      return [at, at < 21.5 ? 720 : at < 46 ? 180 : 720];
    }),
    events: [],
    top_height: 720,
  };
  assert.deepEqual(drop(run, 20, 40), { longest_ms: 390, back_s: 2, lower_s: 1.5 });
  assert.equal(rise(run, 40), 6);
  const late = { ...run, delays: run.delays.map(([at, ms]) => [at, at > 22 ? 200 : ms]) };
  assert.equal(drop(late, 20, 40).back_s, null);
  const frozen = { ...run, frames: run.frames.filter(([at]) => at < 20.5) };
  assert.equal(drop(frozen, 20, 40).lower_s, null);
  assert.equal(rise(frozen, 40), null);
  const paused = { ...frozen, events: [[21, 'receiver: trackStreamStateChanged paused']] };
  assert.equal(drop(paused, 20, 40).lower_s, 1);
  const never = { ...run, frames: run.frames.map(([at]) => [at, 720]) };
  assert.equal(drop(never, 20, 40).lower_s, null);
});

test('only the impaired leg has more than a delay, in the direction of its media', () => {
  const row = rows.find(({ name }) => name === 'drop-400');
  const { sender, receiver } = profiles(row, 'receiver', 60, 1);
  assert.equal(sender, 'seed = 1\nup = { delay_ms = 20.0 }\ndown = { delay_ms = 20.0 }\n');
  assert.match(receiver, /^up = \{ delay_ms = 20\.0 \}$/m);
  assert.match(receiver, /^down = \{ delay_ms = 20\.0, rate_kbps = 5000, queue_ms = 1000\.0 \}$/m);
  assert.match(receiver, /at_ms = 20000\ndown = \{ rate_kbps = 400 \}/);
  assert.match(profiles(row, 'sender', 60, 1).sender, /at_ms = 40000\nup = \{ rate_kbps = 5000 \}/);
});

test('what a run could not show misses its goal', () => {
  const run = { seconds: 60, delays: [], frames: [], samples: [], events: [], top_height: 720 };
  for (const row of rows) {
    for (const goal of row.goals(run)) assert.equal(goal.met, false, `${row.name}: ${goal.figure}`);
  }
});

test('the report shows every goal', () => {
  const audio_ms = { p50: 50, p99: 51, max: 52, bursts: 100, unheard: 0 };
  const video = { frames: 1, freezes: 0, frozen_s: 0, received_kbps: 1 };
  const direction = { rate_kbps: [0, 0], queue_ms: [0, 0], bytes: [0, 1_000], delivered_bytes: [0, 0] };
  const log = { at_ms: [0, 600], up: direction, down: direction };
  const recording = {
    seconds: 60, began_unix_ms: 0, delays: [[1, 95]], frames: [[1, 720]], samples: [], events: [],
    top_height: 720,
  };
  const runs = rows.map((row) => ({
    ...recording, row: row.name, title: row.title, leg: row.legs[0], audio_ms, video, load: 1, warnings: [],
    relays: { sender: { log, started_unix_ms: 0 }, receiver: { log, started_unix_ms: 0 } },
    goals: row.goals(recording),
  }));
  const page = html({
    commit: 'abc', date: 'today', seconds: 60, seed: 1, machine: { processors: 2, model: 'any' },
    baseline: { audio_ms }, runs,
  });
  for (const { figure } of runs.flatMap((run) => run.goals)) {
    assert.ok(page.includes(figure.replace(/</g, '&lt;')), figure);
  }
  assert.ok(!/NaN|undefined|Infinity/.test(page));
  assert.ok(!/https?:/.test(page), 'the page needs nothing else');
});

test('the sound is a whole number of rounds, in its tones', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-'));
  try {
    const path = join(folder, 'sound.wav');
    await writeSound(path);
    const file = await readFile(path);
    const samples = new Int16Array(file.buffer, file.byteOffset + 44, (file.length - 44) / 2);
    const every = BURST_INTERVAL_S * 48_000;
    assert.equal(samples.length % (every * TONES_HZ.length), 0);
    for (const [index, tone] of TONES_HZ.entries()) {
      const burst = samples.subarray(index * every, index * every + 2_400);
      const crossings = burst.filter((value, at) => at > 0 && value >= 0 !== burst[at - 1] >= 0).length;
      // 50 ms: two crossings a period, and the noise's own around them.
      assert.ok(Math.abs(crossings / 2 - tone * 0.05) < 3, `${tone} Hz: ${crossings} crossings`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
