// Signalling drops, ICE restarts, and a control plane killed in the middle of a call.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually, joinWithSdk, received, report, scenario, sleep, startChromium, startDemo,
  startProcesses, statistics,
} from './harness.mjs';

const everything = { camera: { options: { simulcast: false } }, microphone: true };

async function call(server, launch) {
  const browser = await launch(startChromium);
  const room = 'reconnect';
  const join = async (identity) =>
    joinWithSdk(browser, server, await server.token(identity, { room }), { publish: everything });
  const alice = await join('alice');
  const bob = await join('bob');
  for (const page of [alice, bob]) {
    await eventually('media flows', async () => (await received(page)).frames > 20);
  }
  return { alice, bob };
}

const events = (page) => page.evaluate(() => globalThis.bedside.events.map(([name]) => name));
const sid = (page) => page.evaluate(() => globalThis.bedside.room.localParticipant.sid);

/** Video never stalls for longer than `stall_ms` while `during` runs. */
async function watching(page, during, stall_ms = 1_500) {
  let running = true;
  let longest = 0;
  const watch = (async () => {
    let last = await received(page);
    let since = Date.now();
    while (running) {
      await sleep(150);
      const now = await received(page);
      if (now.frames > last.frames) since = Date.now();
      longest = Math.max(longest, Date.now() - since);
      last = now;
    }
  })();
  try {
    await during();
  } finally {
    running = false;
    await watch;
  }
  assert.ok(longest < stall_ms, `video stood still for ${longest} ms`);
  return longest;
}

test('signalling drops and resumes while media goes on', () =>
  scenario(startDemo, async (server, launch) => {
    const { alice, bob } = await call(server, launch);
    const before = await sid(alice);
    const stall = await watching(bob, async () => {
      await alice.evaluate(() => globalThis.bedside.room.simulateScenario('signal-reconnect'));
      await eventually('it resumed', async () => (await events(alice)).some((e) => /signalReconnected|reconnected/i.test(e)));
    });
    assert.equal(await sid(alice), before, 'the participant stayed the same');
    assert.ok(!(await events(bob)).includes('participantDisconnected'));
    report('longest time without a new frame between samples (150 ms apart)', { ms: stall });
    const now = await received(bob);
    await eventually('frames rise', async () => (await received(bob)).frames > now.frames + 20);
  }));

test('ICE restarts on a resumed connection', () =>
  scenario(startDemo, async (server, launch) => {
    const { alice, bob } = await call(server, launch);
    const ufrag = async () => {
      const entries = await statistics(alice);
      return entries.find((entry) => entry.type === 'transport')?.iceLocalUsernameFragment;
    };
    const before = await ufrag();
    await watching(
      bob,
      async () => {
        await alice.evaluate(() => globalThis.bedside.room.simulateScenario('resume-reconnect'));
        await eventually('it resumed', async () => (await events(alice)).some((e) => /^reconnected$/i.test(e)), 30_000);
      },
      5_000,
    );
    await eventually('the client uses new ICE credentials', async () => (await ufrag()) !== before);
    const [atAlice, atBob] = [await received(alice), await received(bob)];
    await eventually('both go on', async () =>
      (await received(alice)).frames > atAlice.frames + 20 && (await received(bob)).frames > atBob.frames + 20,
    );
  }));

test('a control plane killed with -9 leaves media alone and adopts the call', () =>
  scenario(startProcesses, async (server, launch) => {
    const { alice, bob } = await call(server, launch);
    const before = [await sid(alice), await sid(bob)];
    const stall = await watching(bob, async () => {
      await server.control.stop('SIGKILL');
      await sleep(3_000);
      await server.startControl();
      for (const page of [alice, bob]) {
        await eventually('the client resumed', async () => (await events(page)).some((e) => /reconnected/i.test(e)), 40_000);
      }
    });
    report('longest time without a new frame through kill -9 and restart', { ms: stall });
    assert.deepEqual([await sid(alice), await sid(bob)], before, 'the call was adopted, not made anew');
    const rooms = JSON.parse(await server.cli('room', 'list', '--json'));
    assert.equal(rooms.length, 1);
    const now = await received(alice);
    await eventually('media goes on', async () => (await received(alice)).frames > now.frames + 20);
    // Signalling works again: a mute crosses it.
    await alice.evaluate(() => globalThis.bedside.room.localParticipant.setMicrophoneEnabled(false));
    await eventually('the mute arrives', () =>
      bob.evaluate(() => [...globalThis.bedside.room.remoteParticipants.values()][0].isMicrophoneEnabled === false),
    );
  }));
