// More people than the first offer has places for: LiveKit's browser SDK is asked for more, and
// places of people who left serve those who come.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, joinWithSdk, report, scenario, startChromium, startDemo } from './harness.mjs';

/** Small pictures: eleven encoders and as many decoders share the machine with everything else. */
const camera = {
  capture: { resolution: { width: 160, height: 120, frameRate: 5 } },
  options: { simulcast: false, videoEncoding: { maxBitrate: 60_000, maxFramerate: 5 } },
};

/** Which participants' video is decoded, by identity: frames so far. */
function decoded(page) {
  return page.evaluate(async () => {
    const { room } = globalThis.bedside;
    const frames = {};
    for (const participant of room.remoteParticipants.values()) {
      for (const publication of participant.videoTrackPublications.values()) {
        const report = await publication.track?.getRTCStatsReport();
        report?.forEach((entry) => {
          if (entry.type === 'inbound-rtp') frames[participant.identity] = entry.framesDecoded ?? 0;
        });
      }
    }
    return frames;
  });
}

async function seesAll(page, identities) {
  const before = await decoded(page);
  return eventually(
    `video of ${identities.length} others is decoded`,
    async () => {
      const now = await decoded(page);
      // A new stream counts from the start.
      const grown = (who) => (now[who] ?? 0) - (now[who] < before[who] ? 0 : (before[who] ?? 0));
      return identities.every((who) => grown(who) > 3) && now;
    },
    40_000,
  );
}

for (const [mode, singlePeerConnection] of [['one connection (v1)', true], ['two connections (v0)', false]]) {
  test(`six people see each other, leave and come again: ${mode}`, () =>
    scenario(startDemo, async (server, launch) => {
      const browser = await launch(startChromium);
      const options = { singlePeerConnection };
      const join = async (identity) => {
        const token = await server.token(identity, { room: 'group' });
        return joinWithSdk(browser, server, token, {
          options, publish: { camera, microphone: true },
        });
      };
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      const pages = new Map();
      for (const name of names) pages.set(name, await join(name));
      const others = (name) => names.filter((other) => other !== name);
      report('first', await seesAll(pages.get('a'), others('a')));
      report('last', await seesAll(pages.get('f'), others('f')));

      const sections = () => pages.get('a').evaluate(() => {
        const { publisher, subscriber } = globalThis.bedside.room.engine.pcManager;
        return (subscriber ?? publisher).pc.getTransceivers().length;
      });
      const before = await sections();
      for (const name of ['b', 'c', 'd']) {
        await pages.get(name).evaluate(() => globalThis.bedside.room.disconnect());
        await pages.get(name).close();
        pages.set(name, await join(name));
        report(`again ${name}`, await seesAll(pages.get('a'), others('a')));
      }
      assert.equal(await sections(), before, 'places are used again');

      // At once, so that the others may hear of both in one description.
      await pages.get('e').evaluate(() => globalThis.bedside.room.simulateScenario('full-reconnect'));
      report('e reconnected', await seesAll(pages.get('a'), others('a')));
      report('e sees', await seesAll(pages.get('e'), others('e')));
    }));
}
