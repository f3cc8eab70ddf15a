// Bad input from the network, while a call runs: refused or dropped, counted, and never logged.

import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFile, readdir } from 'node:fs/promises';
import { request } from 'node:https';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AccessToken } from 'livekit-server-sdk';
import {
  eventually, joinWithSdk, received, scenario, sleep, startChromium, startDemo,
} from './harness.mjs';

/** One HTTPS exchange; status and text. */
function ask(server, method, path, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const exchange = request(
      `${server.http}${path}`,
      { method, headers, rejectUnauthorized: false },
      (response) => {
        let text = '';
        response.on('data', (chunk) => { text += chunk; });
        response.on('end', () => resolve({ status: response.statusCode, text }));
      },
    );
    exchange.on('error', reject);
    exchange.end(body);
  });
}

/** WrappedJoinRequest with compressed bytes, as it stands in a URL. */
function joinRequest(compressed) {
  const length = [];
  for (let rest = compressed.length; ; rest >>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  const message = Buffer.concat([Buffer.from([0x08, 1, 0x12, ...length]), compressed]);
  return encodeURIComponent(message.toString('base64url'));
}

test('tokens and join requests that are wrong are refused with a reason', () =>
  scenario(startDemo, async (server) => {
    const secret = await server.secret();
    const made = async (key, signedWith, ttl) => {
      const token = new AccessToken(key, signedWith, { identity: 'eve', ttl });
      token.addGrant({ roomJoin: true, room: 'r' });
      return token.toJwt();
    };
    const good = await server.token('eve', { room: 'r' });
    const wrong = [
      ['no token', ''],
      ['garbage', 'x.y.z'],
      ['a foreign key', await made('foreign', 'x'.repeat(40), '1h')],
      ['a wrong secret', await made(server.info.api_key, 'x'.repeat(40), '1h')],
      ['an expired token', await made(server.info.api_key, secret, '-1h')],
      ['no algorithm', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`],
    ];
    for (const [what, token] of wrong) {
      const answer = await ask(server, 'GET', `/rtc/validate?access_token=${token}`);
      assert.equal(answer.status, 401, what);
      assert.match(answer.text, /\w/, `${what}: there is a reason`);
    }
    assert.equal((await ask(server, 'GET', `/rtc/validate?access_token=${good}`)).status, 200);

    const bomb = gzipSync(Buffer.alloc(64 << 20));
    const requests = [
      ['not base64', '%20%20'],
      ['not a message', Buffer.from([0xff, 0xff, 0xff]).toString('base64url')],
      ['not gzip', joinRequest(Buffer.from('plain'))],
      ['a bomb', joinRequest(bomb.subarray(0, 30_000))],
    ];
    for (const [what, value] of requests) {
      const path = `/rtc/v1/validate?access_token=${good}&join_request=${value}`;
      assert.equal((await ask(server, 'GET', path)).status, 400, what);
    }
  }));

test('SDP that would weaken media is refused with a reason, and counted', () =>
  scenario(startDemo, async (server) => {
    const token = await server.token('camera', { room: 'r' });
    const offer = ({
      profile = 'UDP/TLS/RTP/SAVPF',
      fingerprint = `sha-256 ${Array(32).fill('AB').join(':')}`,
      crypto = false,
    }) =>
      [
        'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0',
        `m=audio 9 ${profile} 111`, 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=sendonly', 'a=rtcp-mux',
        'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'a=setup:actpass',
        ...(fingerprint ? [`a=fingerprint:${fingerprint}`] : []),
        ...(crypto ? [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${'A'.repeat(40)}`] : []),
        'a=rtpmap:111 opus/48000/2', '',
      ].join('\r\n');
    const publish = (sdp) =>
      ask(server, 'POST', '/whip', {
        headers: { 'content-type': 'application/sdp', authorization: `Bearer ${token}` },
        body: sdp,
      });
    const weak = [
      ['SDES', offer({ crypto: true })],
      ['no fingerprint', offer({ fingerprint: null })],
      ['SHA-1', offer({ fingerprint: `sha-1 ${Array(20).fill('AB').join(':')}` })],
      ['plain RTP', offer({ profile: 'RTP/AVP' })],
      ['SRTP without DTLS', offer({ profile: 'RTP/SAVPF' })],
      ['no SDP', 'hello'],
    ];
    for (const [what, sdp] of weak) {
      const answer = await publish(sdp);
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
      assert.match(answer.text, /\w{3}/, `${what}: there is a reason`);
    }
    const { refused } = JSON.parse(await server.cli('status', '--json'));
    const counted = Object.values(refused).reduce((sum, count) => sum + count, 0);
    assert.ok(counted >= weak.length, `refusals are counted: ${JSON.stringify(refused)}`);
    assert.equal((await publish(offer({}))).status, 201, 'the same without the weakness is taken');
  }));

test('garbage on the media port disturbs no call and grows no memory', () =>
  scenario(startDemo, async (server, launch) => {
    const browser = await launch(startChromium);
    const room = 'r';
    const publish = { camera: {}, microphone: true };
    await joinWithSdk(browser, server, await server.token('alice', { room }), { publish });
    const bob = await joinWithSdk(browser, server, await server.token('bob', { room }), { publish });
    await eventually('media flows', async () => (await received(bob)).frames > 20);

    const { dataplane } = JSON.parse(await server.cli('status', '--json'));
    const ports = dataplane.workers.flat().map((address) => Number(address.split(':').at(-1)));
    const [pid] = await dataplanes(server);
    // The first flood touches receive buffers that were set aside at start.
    await flood(ports);
    const before = await residentKiB(pid);
    const { frames } = await received(bob);
    await flood(ports);
    await eventually('video goes on', async () => (await received(bob)).frames > frames + 40);
    const grown = (await residentKiB(pid)) - before;
    assert.ok(grown < 2 * 1024, `20,000 datagrams of garbage left ${grown} KiB behind`);
    assert.deepEqual(await dataplanes(server), [pid], 'it is still the same process');
  }));

test('at the most talkative log level no token, name or address is written', () =>
  scenario(() => startDemo('--log', 'trace'), async (server, launch) => {
    const browser = await launch(startChromium);
    const token = await server.token('canary-identity', { room: 'canary-room' }, {
      name: 'Canary Name', metadata: 'canary-metadata',
    });
    const page = await joinWithSdk(browser, server, token, { publish: { microphone: true } });
    await page.evaluate(() =>
      globalThis.bedside.room.localParticipant.publishData(new TextEncoder().encode('canary-message'), { reliable: true }),
    );
    await server.cli('participant', 'list', 'canary-room', '--json');
    await ask(server, 'GET', `/rtc?access_token=${token}`);
    await sleep(1_000);
    await page.close();
    await sleep(1_000);
    const log = server.logs();
    assert.ok(log.length > 1_000, 'something was logged');
    const secrets = [
      token, token.split('.')[1], token.split('.')[2], 'canary-', 'Canary Name', await server.secret(),
      'a=ice-pwd', 'a=candidate', 'access_token=',
    ];
    for (const secret of secrets) {
      const line = log.split('\n').find((text) => text.includes(secret));
      assert.equal(line, undefined, `the log holds ${secret.slice(0, 12)}...`);
    }
  }));

/** 20,000 datagrams of garbage in about a second, evenly to all ports of this machine's server. */
async function flood(ports) {
  const socket = createSocket('udp4');
  // First bytes of STUN, DTLS, TURN channels, RTP and RTCP, and of nothing (RFC 7983).
  const firsts = [0, 1, 20, 22, 23, 64, 128, 144, 200, 255];
  for (let round = 0; round < 200; round += 1) {
    for (let n = 0; n < 100; n += 1) {
      const datagram = randomBytes(randomInt(1, 1_400));
      datagram[0] = firsts[n % firsts.length];
      socket.send(datagram, ports[n % ports.length], '127.0.0.1');
    }
    await sleep(5);
  }
  socket.close();
}

/** Process ids of the demo's data plane; a child belongs to the thread that started it. */
async function dataplanes(server) {
  const { pid } = server.processes[0].child;
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8'));
  return (await Promise.all(lists)).join(' ').trim().split(/\s+/).map(Number);
}

async function residentKiB(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]);
}
