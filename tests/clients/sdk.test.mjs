// LiveKit's Python and Node SDKs publish to and subscribe from Chromium.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { promisify } from 'node:util';
import {
  eventually, joinWithSdk, received, report, scenario, seesAndHears, startChromium, startDemo,
} from './harness.mjs';

const run = promisify(execFile);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = process.env.BEDSIDE_TEST_PYTHON ?? 'python3';

const sdks = [
  ['Python SDK, one connection (v1)', python, ['sdk_participant.py'], ['--seconds', '12'], 'hello from python'],
  ['Python SDK, two connections (v0)', python, ['sdk_participant.py'], ['--seconds', '12', '--dual'], 'hello from python'],
  ['Node SDK', process.execPath, ['sdk_participant.mjs'], ['12'], 'hello from node'],
];

for (const [name, program, [script], options, hello] of sdks) {
  test(`${name}: publishes to and subscribes from Chromium`, () =>
    scenario(startDemo, async (server, launch) => {
      const room = 'sdk';
      const browser = await launch(startChromium);
      const page = await joinWithSdk(browser, server, await server.token('browser', { room }), {
        publish: { camera: {}, microphone: true },
      });
      const token = await server.token('sdk', { room });
      const participant = run(program, [here(script), server.ws, token, ...options], {
        env: { ...process.env, SSL_CERT_FILE: server.info.ca_file },
        timeout: 60_000,
      });
      const atBrowser = seesAndHears(page, { within_ms: 30_000 });
      // Whichever fails first tells why.
      const [figures] = await Promise.all([atBrowser, participant.then(() => {})]);
      const { stdout } = await participant;
      const seen = JSON.parse(stdout.trim().split('\n').at(-1));
      report('Chromium', figures);
      report(name, seen);
      assert.ok(seen.video_frames > 30, 'the SDK decodes video');
      assert.ok(seen.audio_frames > 200, 'the SDK decodes audio');
      assert.equal(seen.reconnects, 0, 'it never had to reconnect');
      await eventually('the message arrived', () =>
        page.evaluate((text) => globalThis.bedside.data.some((message) => message.text === text), hello),
      );
      await eventually('the SDK is gone', () =>
        page.evaluate(() => globalThis.bedside.room.remoteParticipants.size === 0),
      );
      assert.equal((await received(page)).video_lost, 0);
    }));
}
