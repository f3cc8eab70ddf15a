// LiveKit's official server SDK drives RoomService and verifies a webhook.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { RoomServiceClient, WebhookReceiver } from 'livekit-server-sdk';
import { eventually, joinWithSdk, scenario, startChromium, startDemo } from './harness.mjs';

process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

test('RoomService and webhooks work with the official server SDK', async () => {
  const deliveries = [];
  const listener = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      deliveries.push({ body: Buffer.concat(chunks).toString(), authorization: request.headers.authorization });
      response.end();
    });
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const webhook = `http://127.0.0.1:${listener.address().port}/webhook`;
  try {
    await scenario(() => startDemo('--webhook', webhook), async (server, launch) => {
      const service = new RoomServiceClient(server.http, server.info.api_key, await server.secret());
      const created = await service.createRoom({ name: 'clinic', maxParticipants: 3, metadata: 'first' });
      assert.match(created.sid, /^RM_/);
      assert.deepEqual((await service.listRooms()).map((room) => room.name), ['clinic']);

      const browser = await launch(startChromium);
      const page = await joinWithSdk(browser, server, await server.token('alice', { room: 'clinic' }), {
        publish: { microphone: true },
      });
      const alice = await eventually('alice is listed with her track', async () => {
        const [participant] = await service.listParticipants('clinic');
        return participant?.tracks.length === 1 && participant;
      });
      assert.equal(alice.identity, 'alice');

      await service.updateRoomMetadata('clinic', 'second');
      await eventually('the metadata arrives', () =>
        page.evaluate(() => globalThis.bedside.room.metadata === 'second'),
      );
      await service.sendData('clinic', new TextEncoder().encode('from the server'), 0, { topic: 'notice' });
      await eventually('the data arrives', () =>
        page.evaluate(() => globalThis.bedside.data.some((message) => message.text === 'from the server')),
      );
      await service.mutePublishedTrack('clinic', 'alice', alice.tracks[0].sid, true);
      await eventually('alice is muted', () =>
        page.evaluate(() => !globalThis.bedside.room.localParticipant.isMicrophoneEnabled),
      );
      await service.updateParticipant('clinic', 'alice', { name: 'Alice A.' });
      assert.equal((await service.getParticipant('clinic', 'alice')).name, 'Alice A.');
      await service.removeParticipant('clinic', 'alice');
      await service.deleteRoom('clinic');
      assert.deepEqual(await service.listRooms(), []);

      const receiver = new WebhookReceiver(server.info.api_key, await server.secret());
      const seen = await eventually('the webhooks arrive', async () => {
        const events = [];
        for (const { body, authorization } of deliveries) {
          events.push((await receiver.receive(body, authorization)).event);
        }
        return events.includes('room_finished') && events;
      });
      for (const event of ['room_started', 'participant_joined', 'track_published', 'participant_left', 'room_finished']) {
        assert.ok(seen.includes(event), `${event} was delivered (${seen})`);
      }
      const forged = deliveries[0];
      await assert.rejects(receiver.receive(`${forged.body} `, forged.authorization), 'a changed body is refused');
    });
  } finally {
    listener.close();
  }
});
