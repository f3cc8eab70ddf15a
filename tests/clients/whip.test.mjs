// A WHIP publisher and a WHEP viewer that we did not write (npm whip-whep, in Chromium).

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { eventually, report, scenario, startChromium, startDemo } from './harness.mjs';

const require = createRequire(import.meta.url);

async function open(browser, server, library) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setBypassCSP(true);
  await page.goto(`${server.http}/healthz`);
  const published = await readFile(require.resolve(`whip-whep/${library}`), 'utf8');
  // After an ICE restart the library puts a comma between candidates, where a server has several.
  const source = published.replaceAll('candidates.join()', "candidates.join('')");
  await page.evaluate(async (text) => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    globalThis.library = await import(url);
  }, source);
  return page;
}

test('WHIP publishes, WHEP plays, DELETE ends both', () =>
  scenario(startDemo, async (server, launch) => {
    const browser = await launch(startChromium);
    const room = 'whip';
    const publisher = await open(browser, server, 'whip.js');
    const publish = await server.token('camera', { room });
    await publisher.evaluate(
      async (url, token) => {
        const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });
        const pc = new RTCPeerConnection();
        for (const track of media.getTracks()) pc.addTrack(track, media);
        const client = new globalThis.library.WHIPClient();
        globalThis.whip = { pc, client };
        await client.publish(pc, url, token);
      },
      `${server.http}/whip`,
      publish,
    );
    await eventually('WHIP is connected', () =>
      publisher.evaluate(() => globalThis.whip.pc.connectionState === 'connected'),
    );

    const viewer = await open(browser, server, 'whep.js');
    await viewer.evaluate(
      async (url, token) => {
        const pc = new RTCPeerConnection();
        pc.addTransceiver('audio', { direction: 'recvonly' });
        pc.addTransceiver('video', { direction: 'recvonly' });
        pc.ontrack = (event) => {
          const element = document.createElement(event.track.kind);
          element.autoplay = true;
          element.srcObject = new MediaStream([event.track]);
          document.body.append(element);
        };
        const client = new globalThis.library.WHEPClient();
        globalThis.whep = { pc, client };
        await client.view(pc, url, token);
      },
      `${server.http}/whep`,
      await server.token('viewer', { room, canPublish: false }),
    );
    const figures = await eventually('WHEP decodes video and hears audio', () =>
      viewer.evaluate(async () => {
        const inbound = { audio: 0, video: 0 };
        (await globalThis.whep.pc.getStats()).forEach((entry) => {
          if (entry.type !== 'inbound-rtp') return;
          inbound[entry.kind] += entry.kind === 'video' ? (entry.framesDecoded ?? 0) : (entry.totalAudioEnergy ?? 0);
        });
        return inbound.video > 20 && inbound.audio > 0 && inbound;
      }),
    );
    report('WHEP', figures);

    await viewer.evaluate(() => globalThis.whep.client.stop());
    await publisher.evaluate(() => globalThis.whip.client.stop());
    await eventually('both are gone', async () => {
      const rooms = JSON.parse(await server.cli('room', 'list', '--json'));
      return rooms.every((r) => r.num_participants === 0);
    });
    assert.ok(figures.video > 20);
  }));

test('WHIP restarts ICE, twice, and media goes on', () =>
  scenario(startDemo, async (server, launch) => {
    const browser = await launch(startChromium);
    const publisher = await open(browser, server, 'whip.js');
    await publisher.evaluate(
      async (url, token) => {
        const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
        const pc = new RTCPeerConnection();
        for (const track of media.getTracks()) pc.addTrack(track, media);
        const client = new globalThis.library.WHIPClient();
        globalThis.whip = { pc, client };
        await client.publish(pc, url, token);
      },
      `${server.http}/whip`,
      await server.token('camera', { room: 'restart' }),
    );
    // What the server's receiver reports prove arrive on the path of the current ICE session.
    const state = () =>
      publisher.evaluate(async () => {
        const now = { connected: globalThis.whip.pc.connectionState === 'connected' };
        (await globalThis.whip.pc.getStats()).forEach((entry) => {
          if (entry.type === 'transport') now.ufrag = entry.iceLocalUsernameFragment;
          if (entry.type === 'remote-inbound-rtp' && entry.kind === 'video') now.reported = entry.timestamp;
        });
        return now;
      });
    let before = await eventually('WHIP is connected', async () => {
      const now = await state();
      return now.connected && now.reported && now;
    });
    for (const turn of ['first', 'second']) {
      await publisher.evaluate(() => globalThis.whip.client.restart());
      const restarted = await eventually(`the ${turn} restart is done`, async () => {
        const now = await state();
        return now.connected && now.ufrag !== before.ufrag && now;
      });
      before = await eventually('the server reports what it receives', async () => {
        const now = await state();
        return now.reported > restarted.reported + 1000 && now;
      });
    }
    await publisher.evaluate(() => globalThis.whip.client.stop());
  }));
