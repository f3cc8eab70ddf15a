// The operator's command line on a running call.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, joinWithSdk, scenario, startChromium, startDemo } from './harness.mjs';

test('the command line lists, mutes and removes a participant', () =>
  scenario(startDemo, async (server, launch) => {
    const browser = await launch(startChromium);
    const room = 'ward';
    const publish = { microphone: true };
    const alice = await joinWithSdk(browser, server, await server.token('alice', { room }), { publish });
    const bob = await joinWithSdk(browser, server, await server.token('bob', { room }));

    const rooms = JSON.parse(await server.cli('room', 'list', '--json'));
    assert.deepEqual(rooms.map((r) => [r.name, r.num_participants]), [['ward', 2]]);
    const participants = JSON.parse(await server.cli('participant', 'list', 'ward', '--json'));
    assert.deepEqual(participants.map((p) => p.identity).sort(), ['alice', 'bob']);

    const track = participants.find((p) => p.identity === 'alice').tracks[0].sid;
    await server.cli('participant', 'mute', 'ward', 'alice', track);
    await eventually('alice is muted', () =>
      alice.evaluate(() => !globalThis.bedside.room.localParticipant.isMicrophoneEnabled),
    );

    await server.cli('participant', 'remove', 'ward', 'alice');
    await eventually('alice is told', () =>
      alice.evaluate(() => globalThis.bedside.room.state === 'disconnected'),
    );
    await eventually('bob sees it', () =>
      bob.evaluate(() => globalThis.bedside.room.remoteParticipants.size === 0),
    );
  }));
