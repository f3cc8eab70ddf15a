// Every video codec that Chromium can send crosses the server and is decoded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually, joinWithSdk, received, report, scenario, startChromium, startDemo, statistics,
} from './harness.mjs';

for (const codec of ['vp8', 'h264', 'vp9', 'av1']) {
  test(`${codec} is forwarded and decoded`, () =>
    scenario(startDemo, async (server, launch) => {
      const browser = await launch(startChromium);
      const room = 'codecs';
      const camera = { options: { videoCodec: codec, backupCodec: false } };
      await joinWithSdk(browser, server, await server.token('publisher', { room }), {
        publish: { microphone: true, camera },
      });
      const viewer = await joinWithSdk(browser, server, await server.token('viewer', { room }), {
        options: { adaptiveStream: false },
      });
      const figures = await eventually('pictures are decoded', async () => {
        const now = await received(viewer);
        return now.frames > 40 && now.audio_energy > 0 && now;
      }, 40_000);
      const entries = await statistics(viewer);
      const used = entries.filter((entry) => entry.type === 'codec').map((entry) => entry.mimeType);
      assert.ok(used.some((type) => type.toLowerCase() === `video/${codec}`), `${used}`);
      assert.equal(figures.video_lost, 0);
      report(codec, figures);
    }));
}
