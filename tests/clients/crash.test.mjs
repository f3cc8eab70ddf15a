// The control plane is killed while connections come and go: each is in the audit log exactly once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually, joinWithSdk, received, report, scenario, sleep, startChromium, startProcesses,
} from './harness.mjs';

const KILLS = 4;

test('a control plane killed with -9 in a call leaves each record of it exactly once', () =>
  scenario(startProcesses, async (server, launch) => {
    const browser = await launch(startChromium);
    const publish = { camera: { options: { simulcast: false } }, microphone: true };
    const join = async (identity) =>
      joinWithSdk(browser, server, await server.token(identity, { room: 'ward' }), { publish });
    const alice = await join('alice');
    const bob = await join('bob');
    await eventually('media flows', async () => (await received(bob)).frames > 20);
    let seen = 2;
    const delays = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const guest = await join(`guest-${kill}`);
      await eventually('the guest sees', async () => (await received(guest)).frames > 5);
      seen += 1;
      // One leaves around the time of the kill, and somebody may be coming.
      const comes = join(`late-${kill}`).then(() => 1, () => 0);
      const delay_ms = Math.round(Math.random() * 400);
      delays.push(delay_ms);
      await guest.close();
      await sleep(delay_ms);
      await server.control.stop('SIGKILL');
      await sleep(1_000);
      await server.startControl();
      await comes;
      const { frames } = await received(bob);
      await eventually('media goes on', async () => (await received(bob)).frames > frames + 20, 40_000);
    }
    for (const context of browser.browserContexts()) await context.close().catch(() => undefined);

    const peers = (records) => records.map((record) => `${record.facts.boot}/${record.object.id}`);
    const succeeded = (records) => records.filter((record) => record.outcome === 'success');
    const [opened, closed] = await eventually('every connection is closed in the log', async () => {
      const [opens, closes] = [await server.records('pc.open'), await server.records('pc.close')];
      const pair = [peers(succeeded(opens)).sort(), peers(closes).sort()];
      return pair[0].length === pair[1].length && pair;
    }, 90_000);
    assert.equal(new Set(opened).size, opened.length, 'no opening stands there twice');
    assert.deepEqual(closed, opened, 'each has one end');
    assert.ok(opened.length >= seen, `${opened.length} connections, at least ${seen} were seen`);
    assert.deepEqual(await server.records('audit.gap'), []);
    assert.match(await server.cli('audit', 'verify'), /intact|nothing/i);
    report('kill -9 in a call', { kills: KILLS, delays_ms: delays, connections: opened.length });
  }));
