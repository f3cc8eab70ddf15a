// Chromium publishes three layers; each is selected in turn and the decoder never freezes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually, joinWithSdk, received, report, scenario, startChromium, startDemo,
} from './harness.mjs';

test('each simulcast layer is shown in turn without a freeze', () =>
  scenario(startDemo, async (server, launch) => {
    const room = 'simulcast';
    const publishing = await launch(startChromium);
    await joinWithSdk(publishing, server, await server.token('publisher', { room }), {
      options: { dynacast: false },
      publish: {
        camera: { capture: { resolution: { width: 1280, height: 720, frameRate: 20 } }, options: { simulcast: true, videoCodec: 'vp8' } },
      },
    });
    const watching = await launch(startChromium);
    const viewer = await joinWithSdk(watching, server, await server.token('viewer', { room }), {
      options: { adaptiveStream: false },
    });
    const select = (quality) =>
      viewer.evaluate((q) => {
        const publications = [...globalThis.bedside.room.remoteParticipants.values()]
          .flatMap((participant) => [...participant.trackPublications.values()]);
        const video = publications.find((publication) => publication.kind === 'video');
        video.setVideoQuality(q);
        return true;
      }, quality);

    // LiveKit's VideoQuality: 0 low, 1 medium, 2 high.
    const widths = { 0: 320, 1: 640, 2: 1280 };
    await eventually('video is decoded', async () => (await received(viewer)).frames > 20);
    const start = await received(viewer);
    for (const quality of [2, 0, 1, 2, 1, 0]) {
      await select(quality);
      await eventually(
        `the layer of width ${widths[quality]} is shown`,
        async () => {
          const now = await received(viewer);
          return now.width === widths[quality] && now;
        },
        30_000,
      );
      const shown = await received(viewer);
      await eventually('its frames go on', async () => (await received(viewer)).frames > shown.frames + 20);
    }
    const end = await received(viewer);
    report('after six switches', end);
    assert.equal(end.freezes, start.freezes, 'no freeze across the switches');
    assert.equal(end.video_lost, 0, 'sequence numbers stay continuous');
  }));
