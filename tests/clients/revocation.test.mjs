// Access that is taken away, of clients that obey and of one that does not: how long media goes on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually, joinWithSdk, openLink, received, report, scenario, seesAndHears, sleep, startChromium,
  startProcesses, statistics,
} from './harness.mjs';
import { joinConsult, logIn, openConsult, startWithProvider } from './oidc.mjs';

/** What is promised: media stops everywhere within this time. */
const BOUND_MS = 5_000;

/** What a connection without media may receive in the time that it is watched: checks and RTCP. */
const QUIET_BYTES_MAX = 10_000;

/**
 * From here on the page keeps in mind when the last packet of media came, to the 50 ms between two
 * looks.
 */
async function watchPackets(page) {
  await page.evaluate(() => {
    const { room } = globalThis.bedside;
    globalThis.lastPacket = 0;
    const look = async () => {
      const manager = room.engine.pcManager;
      for (const transport of [manager?.publisher, manager?.subscriber]) {
        const entries = await transport?.getStats().catch(() => undefined);
        entries?.forEach((entry) => {
          if (entry.type !== 'inbound-rtp') return;
          const at = entry.lastPacketReceivedTimestamp ?? 0;
          globalThis.lastPacket = Math.max(globalThis.lastPacket, at);
        });
      }
    };
    setInterval(look, 50);
  });
}

const lastPacket = (page) => page.evaluate(() => globalThis.lastPacket);

/** Revokes an account; the time at which that was asked for, and the lines that it printed. */
async function revoke(server, account) {
  const asked = Date.now();
  const lines = (await server.cli('user', 'revoke', account)).trim().split('\n');
  assert.ok(!lines.some((line) => line.includes('NOT CONFIRMED')), lines.join('\n'));
  assert.match(lines.at(-1), /done/);
  return { asked, lines };
}

/** What came in, of anything, over all of the page's connections. */
async function bytesReceived(page) {
  const transports = (await statistics(page)).filter((entry) => entry.type === 'transport');
  return transports.reduce((sum, entry) => sum + entry.bytesReceived, 0);
}

/** Nothing more comes, and the last that came was in time. */
async function mediaStopped(what, page, asked) {
  const gone = await eventually('no more packets come', async () => {
    const before = await lastPacket(page);
    await sleep(1_500);
    return (await lastPacket(page)) === before && before;
  });
  // Streams that are gone have no statistics: the connection itself must be quiet too.
  const before = await bytesReceived(page);
  await sleep(1_500);
  const quiet_bytes = (await bytesReceived(page)) - before;
  const media_stopped_ms = Math.round(gone - asked);
  report(what, { media_stopped_ms, quiet_bytes });
  assert.ok(quiet_bytes < QUIET_BYTES_MAX, `${quiet_bytes} bytes came after the end`);
  assert.ok(media_stopped_ms < BOUND_MS, `media went on for ${media_stopped_ms} ms`);
  return gone;
}

/** The records of one order; each is a success. */
async function recordsOf(server, orders) {
  const records = await server.records('user.revoke');
  const starts = records.flatMap((record, index) => (record.facts.step === 'order' ? [index] : []));
  assert.equal(starts.length, orders);
  const last = records.slice(starts.at(-1));
  assert.ok(last.every((record) => record.outcome === 'success'), JSON.stringify(last));
  return last;
}

test('a patient and then a clinician lose their access in the middle of a consult', () =>
  scenario(() => startWithProvider(), async (server, launch) => {
    const browser = await launch(startChromium);
    const clinic = await logIn(server, browser);
    const { room, link } = await openConsult(clinic);
    const [call, patient] = await Promise.all([
      joinConsult(server, clinic, room),
      openLink(browser, link),
    ]);
    await Promise.all([seesAndHears(call), seesAndHears(patient)]);
    const people = JSON.parse(await server.cli('participant', 'list', room, '--json'));
    const ids = people.map(({ identity }) => identity);
    const identity = ids.find((id) => id.startsWith('patient_'));
    const user = ids.find((id) => id !== identity);

    // The patient: their link, their session, their connection.
    await watchPackets(call);
    const first = await revoke(server, identity);
    await mediaStopped('a patient\u2019s link was revoked', call, first.asked);
    const session = () => patient.evaluate(() => fetch('/api/join', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ link: null, display_name: '' }),
    }).then((answer) => answer.status));
    assert.equal(await session(), 401, 'the session that the link left is over');
    const steps = (await recordsOf(server, 1)).map((record) => record.facts.step);
    assert.deepEqual(steps, ['order', 'tokens', 'links', 'turn', 'peer']);

    // The clinician: their session and their connection, seen by another patient.
    await clinic.bringToFront();
    await clinic.click('[data-testid=consult-invite]');
    const next = await eventually('another link is shown', async () => {
      const shown = await clinic.$eval('[data-testid=invitation]', (input) => input.value);
      return shown !== link && shown;
    });
    const other = await openLink(browser, next);
    await seesAndHears(other);
    await watchPackets(other);
    const token = await call.evaluate((consult) =>
      fetch(`/api/consults/${consult}/join`, { method: 'POST' })
        .then((answer) => answer.json()).then((answer) => answer.token), room);
    const validate = () => other.evaluate((jwt) =>
      fetch(`/rtc/validate?access_token=${jwt}`).then((answer) => answer.status), token);
    assert.equal(await validate(), 200);
    const second = await revoke(server, user);
    const stopped = await mediaStopped('a clinician\u2019s account was revoked', other, second.asked);
    assert.equal(await validate(), 401, 'tokens of before are refused');
    const me = await clinic.evaluate(() => fetch('/api/me').then((answer) => answer.json()));
    assert.equal(me.kind, 'unknown', 'the session is over');
    const again = await logIn(server, browser);
    const trouble = await again.waitForSelector('[data-testid=login-trouble]');
    assert.equal(await trouble.evaluate((panel) => panel.dataset.code), 'user_revoked');

    const records = await recordsOf(server, 2);
    assert.deepEqual(
      records.map((record) => record.facts.step),
      ['order', 'tokens', 'sessions', 'turn', 'peer'].toSpliced(3, 0, 'links'),
    );
    // The connection is recorded as closed when the data plane has said so: nothing came after it.
    const closed = Date.parse(records.at(-1).ts);
    assert.ok(stopped <= closed + 50, `a packet came ${stopped - closed} ms after the record`);
    report('the order\u2019s steps', { lines: second.lines.map((line) => line.trim()) });
  }));

test('a client that does not obey is cut off by the server', () =>
  scenario(startProcesses, async (server, launch) => {
    const browser = await launch(startChromium);
    const publish = { camera: { options: { simulcast: false } }, microphone: true };
    const join = async (identity) =>
      joinWithSdk(browser, server, await server.token(identity, { room: 'ward' }), { publish });
    const bob = await join('bob');
    const mallory = await join('mallory');
    await eventually('media flows', async () => (await received(bob)).frames > 20);
    // Whatever the server says, its connections stay open and its camera on.
    await mallory.evaluate(() => {
      globalThis.kept = new Set();
      RTCPeerConnection.prototype.close = function close() {
        globalThis.kept.add(this);
      };
      RTCRtpSender.prototype.replaceTrack = async () => undefined;
      RTCPeerConnection.prototype.removeTrack = () => undefined;
      MediaStreamTrack.prototype.stop = () => undefined;
    });
    await watchPackets(bob);
    const token = await server.token('mallory', { room: 'ward' });
    const { asked } = await revoke(server, 'mallory');
    await mediaStopped('a client that does not obey was revoked', bob, asked);
    const kept = await mallory.evaluate(() =>
      [...globalThis.kept].map((one) => [one.signalingState, one.connectionState]));
    assert.ok(kept.length > 0 && kept.every(([signalling]) => signalling !== 'closed'));
    report('what it kept', { connections: kept.map(([, connection]) => connection) });
    const peer = (await recordsOf(server, 1)).filter((record) => record.facts.step === 'peer');
    assert.ok(peer.length >= 1, 'each connection is confirmed');
    const answer = await bob.evaluate((jwt) =>
      fetch(`/rtc/validate?access_token=${jwt}`).then((response) => response.text()), token);
    assert.equal(answer, 'access was revoked');
  }));
