// Nobody encodes what nobody watches, and everybody learns how the connections are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, joinWithSdk, received, report, scenario, startChromium, startDemo } from './harness.mjs';

/** Which of the camera's encodings the browser sends, lowest first. */
const sending = (publisher) =>
  publisher.evaluate(() => {
    const [camera] = globalThis.bedside.room.localParticipant.videoTrackPublications.values();
    return camera.track.sender.getParameters().encodings.map((encoding) => encoding.active);
  });

test('a publisher stops encoding what its only subscriber does not want', () =>
  scenario(startDemo, async (server, launch) => {
    const room = 'dynacast';
    const publisher = await joinWithSdk(
      await launch(startChromium),
      server,
      await server.token('publisher', { room }),
      {
        options: { dynacast: true },
        publish: {
          camera: { capture: { resolution: { width: 1280, height: 720, frameRate: 20 } }, options: { simulcast: true, videoCodec: 'vp8' } },
        },
      },
    );
    assert.deepEqual(await sending(publisher), [true, true, true]);
    const viewer = await joinWithSdk(
      await launch(startChromium),
      server,
      await server.token('viewer', { room }),
      { options: { adaptiveStream: false } },
    );
    await eventually('video is decoded', async () => (await received(viewer)).frames > 20);
    const select = (quality) =>
      viewer.evaluate((q) => {
        const [publisher] = globalThis.bedside.room.remoteParticipants.values();
        const [camera] = publisher.videoTrackPublications.values();
        camera.setVideoQuality(q);
      }, quality);

    await select(0);
    const asked = Date.now();
    const only = (...expected) =>
      eventually(`the publisher sends ${expected}`, async () => String(await sending(publisher)) === String(expected));
    await only(true, false, false);
    report('turned down after', { ms: Date.now() - asked });
    assert.ok(Date.now() - asked > 4_000, 'not before nobody has wanted more for 5 s');
    await select(2);
    await only(true, true, true);

    const qualities = (page) =>
      page.evaluate(() => {
        const { room } = globalThis.bedside;
        const everyone = [room.localParticipant, ...room.remoteParticipants.values()];
        return everyone.map((participant) => participant.connectionQuality);
      });
    for (const page of [publisher, viewer]) {
      const [own] = await eventually('its own quality is known', async () => {
        const known = await qualities(page);
        return known[0] !== 'unknown' && known;
      });
      assert.notEqual(own, 'lost');
    }
    await eventually('the viewer knows the publisher\'s', async () => (await qualities(viewer))[1] !== 'unknown');

    const shown = await eventually('the high layer is sent again', async () => {
      const shown = JSON.parse(await server.cli('room', 'show', room, '--json'));
      const watching = shown.participants.find((participant) => participant.identity === 'viewer');
      const [camera] = watching.connection.receives;
      return camera.layer === 'high' && watching.connection;
    });
    assert.equal(shown.receives[0].state, 'active');
    assert.ok(shown.score > 1 && shown.round_trip_ms !== null, JSON.stringify(shown));
    report('as the operator sees it', shown);
  }));
