// Messages on `_reliable` and `_lossy`, both ways, to all and to one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, joinWithSdk, scenario, startChromium, startDemo } from './harness.mjs';

const send = (page, text, options) =>
  page.evaluate(
    (message, how) =>
      globalThis.bedside.room.localParticipant.publishData(new TextEncoder().encode(message), how),
    text,
    options,
  );
const texts = (page) => page.evaluate(() => globalThis.bedside.data.map((message) => message.text));

for (const singlePeerConnection of [true, false]) {
  const mode = singlePeerConnection ? 'one connection (v1)' : 'two connections (v0)';
  test(`data goes both ways, reliable and lossy: ${mode}`, () =>
    scenario(startDemo, async (server, launch) => {
      const browser = await launch(startChromium);
      const room = 'data';
      const join = async (identity) =>
        joinWithSdk(browser, server, await server.token(identity, { room }), {
          options: { singlePeerConnection },
        });
      const alice = await join('alice');
      const bob = await join('bob');
      const carol = await join('carol');
      await eventually('all three are there', () =>
        alice.evaluate(() => globalThis.bedside.room.remoteParticipants.size === 2),
      );

      await send(alice, 'reliable to all', { reliable: true, topic: 'vitals' });
      await send(bob, 'lossy to all', { reliable: false });
      await send(carol, 'reliable to alice', { reliable: true, destinationIdentities: ['alice'] });
      await eventually('the messages arrive', async () => {
        const [atAlice, atBob, atCarol] = [await texts(alice), await texts(bob), await texts(carol)];
        return atAlice.length === 2 && atBob.length === 1 && atCarol.length === 2;
      });
      assert.deepEqual((await texts(alice)).sort(), ['lossy to all', 'reliable to alice']);
      assert.deepEqual(await texts(bob), ['reliable to all']);
      assert.deepEqual((await texts(carol)).sort(), ['lossy to all', 'reliable to all']);
      const first = await bob.evaluate(() => globalThis.bedside.data[0]);
      assert.equal(first.from, 'alice', 'the server says who sent it');
      assert.equal(first.topic, 'vitals');
    }));
}
