// A room on two workers: people on different ones see and hear each other, and a control plane that
// was killed adopts both parts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually, joinWithSdk, received, report, scenario, seesAndHears, sleep, startChromium,
  startProcesses, statistics,
} from './harness.mjs';

const onePerWorker = 'workers = 2\n\n[rooms]\nparticipants_per_worker = 1\n';

/** The server's port that a page's media goes to, which is its worker's. */
async function port(page) {
  const entries = await statistics(page);
  const pair = entries.find((e) => e.type === 'candidate-pair' && e.nominated && e.state === 'succeeded');
  return entries.find((e) => e.id === pair?.remoteCandidateId)?.port;
}

for (const [mode, singlePeerConnection] of [['one connection (v1)', true], ['two connections (v0)', false]]) {
  test(`people on two workers see and hear each other: ${mode}`, () =>
    scenario(() => startProcesses(onePerWorker), async (server, launch) => {
      const browser = await launch(startChromium);
      const join = async (identity) => {
        const token = await server.token(identity, { room: 'round' });
        return joinWithSdk(browser, server, token, {
          options: { singlePeerConnection },
          publish: { camera: {}, microphone: true },
        });
      };
      const alice = await join('alice');
      const bob = await join('bob');
      for (const page of [alice, bob]) report('sees and hears', await seesAndHears(page));
      const ports = await Promise.all([alice, bob].map((page) => eventually('a pair is nominated', () => port(page))));
      assert.notEqual(ports[0], ports[1], 'they are on different workers');

      await alice.evaluate(() =>
        globalThis.bedside.room.localParticipant.publishData(new TextEncoder().encode('across'), { reliable: true }),
      );
      await eventually('a message crosses workers', () =>
        bob.evaluate(() => globalThis.bedside.data.some((message) => message.text === 'across')),
      );

      await server.control.stop('SIGKILL');
      await sleep(1_000);
      await server.startControl();
      const events = (page) => page.evaluate(() => globalThis.bedside.events.map(([name]) => name));
      for (const page of [alice, bob]) {
        await eventually('the client resumed', async () => (await events(page)).some((e) => /reconnected/i.test(e)), 40_000);
        const before = await received(page);
        report('after kill -9', await eventually('media goes on', async () => {
          const now = await received(page);
          return now.frames > before.frames + 20 && now.audio_energy > before.audio_energy && now;
        }));
      }

      await alice.evaluate(() => globalThis.bedside.room.disconnect());
      await eventually('the other is told', () =>
        bob.evaluate(() => globalThis.bedside.room.remoteParticipants.size === 0),
      );
    }));
}
