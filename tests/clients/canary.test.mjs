// Nothing about a person turns up where it does not belong: values are planted in every input of
// the real processes, and looked for in everything that comes out of them or stays behind.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { appendFile, readFile, rm } from 'node:fs/promises';
import { createServer, get as httpGet } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Canaries, columns, files, leaks } from './canary.mjs';
import {
  eventually, joinWithSdk, openLink, report, scenario, seesAndHears, startChromium, startProcesses,
} from './harness.mjs';

const run = promisify(execFile);

/** Of participants: what a room has to know while it is open. */
const IN_A_ROOM = ['room', 'identity', 'name', 'metadata', 'attribute', 'patient id', 'e-mail', 'message'];

/** Where what may stand. Everything that is not named here must be free of all of it. */
const ALLOWED = {
  // Open rooms, for the next incarnation; gone with the room.
  'bedside.sqlite room_snapshot.snapshot': [...IN_A_ROOM, 'link name', 'SDP'],
  // What a link says to whoever opens it; of the link itself only its hash is kept.
  'bedside.sqlite link.': ['room', 'link name', 'link label'],
  'bedside.sqlite link.token_sha256': ['link token'],
  // It carries messages, in which LiveKit's protocol names the sender, and packets have addresses.
  'core file of the data plane': ['message', 'chat', 'identity', 'IPv4 address'],
};

/** One HTTPS exchange from an address; status and text. */
function ask(server, from, method, path, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const options = { method, headers, localAddress: from, rejectUnauthorized: false };
    const exchange = request(`${server.http}${path}`, options, (response) => {
      let text = JSON.stringify(response.headers);
      response.on('data', (chunk) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    exchange.on('error', reject);
    exchange.end(body);
  });
}

/** A collector of traces and a receiver of webhooks that keep what is posted to them. */
async function listener() {
  const posts = [];
  const server = createServer((incoming, response) => {
    const chunks = [JSON.stringify([incoming.url, incoming.headers])].map((text) => Buffer.from(text));
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => {
      posts.push(Buffer.concat(chunks));
      response.end();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { posts, port: server.address().port, close: () => server.close() };
}

const scrape = (port) =>
  new Promise((resolve, reject) => {
    httpGet({ host: '127.0.0.1', port, path: '/metrics' }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });

/** Everything that a client or an operator can say, said. Returns the answers to what failed. */
async function say(server, canaries, launch) {
  const plant = (kind) => canaries.plant(kind);
  const from = plant('IPv4 address');
  const answers = [];
  const headers = {
    'user-agent': plant('user agent'),
    'x-forwarded-for': plant('IPv6 address'),
    referer: `https://portal.example/${plant('referer')}`,
    from: plant('e-mail'),
    cookie: `bedside_session=${plant('cookie')}; __Host-bedside=${plant('cookie')}`,
    baggage: `patient=${plant('patient id')}`,
    traceparent: '00-11111111111111111111111111111111-2222222222222222-01',
  };
  const refused = async (method, path, options = {}) => {
    const more = { ...options, headers: { ...headers, ...options.headers } };
    answers.push([`answer to ${method} ${answers.length}`, (await ask(server, from, method, path, more)).text]);
  };

  // A clinician and a patient through the page: link, name, chat, statistics, camera.
  const browser = await launch(startChromium);
  const link = async (role) => {
    const made = await server.cli(
      'link', 'create', '--role', role, '--room', plant('room'),
      '--name', plant('link name'), '--label', plant('link label'),
    );
    return made.trim().split('\n').at(-1).trim();
  };
  const clinicianLink = await link('clinician');
  canaries.watch('link token', new URL(clinicianLink).hash.slice(1));
  const clinician = await openLink(browser, clinicianLink);
  const patient = await openLink(browser, await link('patient'), {
    autojoin: false, name: plant('name'),
  });
  await seesAndHears(patient);
  await patient.click('[data-testid=chat-toggle]');
  await patient.type('[data-testid=chat-input]', plant('chat'));
  await patient.keyboard.press('Enter');
  await eventually('the message is read', async () =>
    (await clinician.evaluate(() => document.body.textContent)).includes(plant('chat')));

  // LiveKit's SDK: what a token and a client say of somebody, data, renaming.
  const options = {
    name: plant('name'),
    metadata: `${plant('metadata')} ${plant('patient id')}`,
    attributes: { [plant('attribute')]: plant('e-mail') },
  };
  const grant = { room: plant('room'), canUpdateOwnMetadata: true };
  const token = await server.token(plant('identity'), grant, options);
  canaries.watch('token', token.split('.')[2]);
  const sdk = await joinWithSdk(browser, server, token, { publish: { microphone: true } });
  await sdk.evaluate(async (message) => {
    const { localParticipant } = globalThis.bedside.room;
    await localParticipant.publishData(new TextEncoder().encode(message), { reliable: true, topic: message });
    await localParticipant.setMetadata(message);
  }, plant('message'));

  // Servers and operators.
  const admin = await server.token(plant('identity'), { room: plant('room'), roomAdmin: true, roomCreate: true });
  const rpc = (method, body) =>
    refused('POST', `/twirp/livekit.RoomService/${method}`, {
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await rpc('UpdateRoomMetadata', { room: plant('other room'), metadata: plant('room metadata') });
  await rpc('RemoveParticipant', { room: plant('room'), identity: plant('other identity') });
  await rpc(plant('method'), {});
  for (const command of [
    ['participant', 'remove', plant('room'), plant('other identity')],
    ['participant', 'list', plant('other room')],
    ['room', 'show', plant('other room')],
    ['token', 'create', '--room', plant('room'), '--identity', plant('other identity')],
  ]) {
    await server.cli(...command).catch(() => {});
  }

  // What is refused, and must not come back or be written down.
  const bearer = { authorization: `Bearer ${plant('bad token')}` };
  await refused('GET', `/rtc/validate?access_token=${plant('bad token')}`);
  await refused('GET', '/rtc', { headers: bearer });
  await refused('GET', `/rtc/v1/validate?join_request=${plant('query')}&access_token=${token}`);
  await refused('GET', `/patients/${plant('path')}?name=${plant('query')}`);
  await refused(plant('method'), '/api/join');
  await refused('POST', '/api/link', { body: JSON.stringify({ link: plant('bad link') }), headers: JSON_TYPE });
  await refused('POST', '/api/join', { body: `{"link":${plant('body')}`, headers: JSON_TYPE });
  await refused('POST', '/api/join', { body: JSON.stringify({ display_name: plant('name') }), headers: JSON_TYPE });
  const whip = { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' };
  await refused('POST', '/whip', { headers: whip, body: sdp(canaries, 'RTP/AVP') });
  await refused('POST', '/whip', { headers: whip, body: plant('SDP') });
  const publisher = await server.token(plant('identity'), { room: plant('room') });
  const taken = { authorization: `Bearer ${publisher}`, 'content-type': 'application/sdp' };
  const offer = { headers: { ...headers, ...taken }, body: sdp(canaries, 'UDP/TLS/RTP/SAVPF') };
  assert.equal((await ask(server, from, 'POST', '/whip', offer)).status, 201);
  const statistics = { authorization: `Bearer ${token}`, ...JSON_TYPE };
  await refused('POST', '/api/statistics', { headers: statistics, body: browserStatistics(canaries) });
  await refused('POST', '/api/statistics', { headers: { ...bearer, ...JSON_TYPE }, body: plant('body') });

  // Packets of nobody that is known.
  const socket = createSocket('udp4');
  await new Promise((done) => socket.bind(0, from, done));
  const { workers } = JSON.parse(await server.cli('status', '--json')).dataplane;
  const port = Number(String(workers.flat()[0]).split(':').at(-1));
  for (let count = 0; count < 20; count += 1) socket.send(plant('packet'), port, '127.0.0.1');
  await new Promise((done) => socket.close(done));

  // Long enough for a report of the page, and then its end.
  await eventually('the page has reported', async () =>
    /bedside_client_reports_total\{result="accepted"\} [2-9]/.test(await scrape(server.metricsPort)), 30_000);
  return { answers, clinician, patient, sdk };
}

const JSON_TYPE = { 'content-type': 'application/json' };

function sdp(canaries, profile) {
  const [text, address] = [canaries.plant('SDP'), canaries.plant('IPv4 address')];
  return [
    'v=0', `o=${text} 1 1 IN IP4 ${address}`, `s=${text}`, `i=${text}`, `e=${canaries.plant('e-mail')}`,
    't=0 0', 'a=group:BUNDLE 0', `m=audio 9 ${profile} 111`, `c=IN IP4 ${address}`, 'a=mid:0',
    'a=sendonly', 'a=rtcp-mux', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx',
    'a=setup:actpass', `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
    'a=rtpmap:111 opus/48000/2', `a=msid:${text} ${text}`, `a=ssrc:1 cname:${text}`,
    `a=candidate:1 1 udp 1 ${address} 9 typ host`, `a=candidate:2 1 udp 1 ${text}.local 9 typ host`, '',
  ].join('\r\n');
}

/** As `getStats` says it, and then some. */
function browserStatistics(canaries) {
  const [text, address] = [canaries.plant('statistics'), canaries.plant('IPv6 address')];
  return JSON.stringify({
    join: { connected: 0.4, [text]: 1 },
    page: text,
    reports: [
      { type: 'inbound-rtp', kind: text, id: text, trackIdentifier: text, mid: text, packetsReceived: 9 },
      { type: 'local-candidate', address, relatedAddress: address, url: text, usernameFragment: text },
      { type: 'candidate-pair', remoteCandidateType: text, protocol: address, foundation: text },
      { type: 'certificate', fingerprint: text, base64Certificate: text },
      { type: 'media-source', label: text, deviceId: text },
      { type: text },
    ],
  });
}

/** All that is left of a run, by name. */
async function traces(server, answers, collector) {
  const places = [...answers];
  places.push(['log of the control plane', server.control.log]);
  places.push(['log of the data plane', server.dataplane.log]);
  places.push(['metrics', await scrape(server.metricsPort)]);
  places.push(['status', await server.cli('status', '--json')]);
  collector.posts.forEach((post) => places.push(['traces', post]));
  for (const [name, bytes] of await files(server.folder)) {
    // The test's own, and the database's, which is read by columns.
    if (/^bedside\.toml$|^secret$|\.sqlite(-wal|-shm)?$|^core/.test(name)) continue;
    places.push([`file ${name}`, bytes]);
  }
  for (const name of (await files(server.folder)).map(([file]) => file)) {
    if (!name.endsWith('.sqlite')) continue;
    for (const [column, value] of await columns(join(server.folder, name))) {
      places.push([`${name} ${column}`, Buffer.from(value, 'hex')]);
    }
  }
  return places;
}

/** A core file, as a debugger makes it of a process that makes none by itself. */
async function core(server, child) {
  const path = join(server.folder, 'core');
  await run('gcore', ['-o', path, String(child.pid)], { maxBuffer: 1 << 26 });
  const bytes = await readFile(`${path}.${child.pid}`);
  await rm(`${path}.${child.pid}`);
  return bytes;
}

test('nothing planted turns up where it does not belong', async () => {
  const canaries = new Canaries();
  const collector = await listener();
  const metricsPort = 40_000 + Math.floor(Math.random() * 10_000);
  const configuration = `
[telemetry]
metrics_listen = "127.0.0.1:${metricsPort}"
otlp_endpoint = "http://127.0.0.1:${collector.port}/v1/traces"

[webhooks]
urls = ["http://127.0.0.1:9/${canaries.plant('webhook path')}"]
`;
  const start = async () => {
    const server = await startProcesses(configuration, { log: 'trace' });
    return Object.assign(server, { metricsPort });
  };
  try {
    await scenario(start, async (server, launch) => {
      const { answers, clinician, patient, sdk } = await say(server, canaries, launch);
      const during = await traces(server, answers, collector);
      const memory = await core(server, server.dataplane.child);
      during.push(['core file of the data plane', memory, { asTheyAre: true }]);
      assert.deepEqual(leaks(canaries, during, ALLOWED), []);
      // It has been looking: what may stand somewhere was found there.
      for (const [place, kind] of [
        ['bedside.sqlite room_snapshot.snapshot', 'identity'],
        ['bedside.sqlite link.display_name', 'link name'],
        ['bedside.sqlite link.token_sha256', 'link token'],
      ]) {
        const bytes = during.filter(([name]) => name === place).map(([, value]) => value);
        assert.ok(canaries.find(Buffer.concat(bytes)).includes(kind), `${kind} is in ${place}`);
      }

      // No process leaves a core file by itself.
      for (const { child } of [server.control, server.dataplane]) {
        const limits = await readFile(`/proc/${child.pid}/limits`, 'utf8');
        assert.match(limits, /^Max core file size +0 +0 /m);
      }

      // The end of it, and of the room.
      for (const page of [patient, clinician, sdk]) await page.close();
      await server.cli('room', 'delete', canaries.plant('room'));
      await eventually('the snapshot is gone', async () =>
        !(await columns(join(server.folder, 'bedside.sqlite'))).some(([name]) => name.startsWith('room_snapshot')));
      await eventually('the traces are posted', () => collector.posts.length > 0);
      const after = await traces(server, answers, collector);
      const gone = { ...ALLOWED, 'bedside.sqlite room_snapshot.snapshot': [] };
      assert.deepEqual(leaks(canaries, after, gone), []);
      report('canaries', {
        places: after.length,
        log_bytes: server.control.log.length + server.dataplane.log.length,
        posts: collector.posts.length,
      });

      // And a leak is seen: in a log, in a file, in a column.
      server.control.log += `INFO joined name=${canaries.plant('name')}`;
      await appendFile(join(server.folder, 'left-behind'), canaries.plant('patient id'));
      await run('python3', ['-c', LEAK, join(server.folder, 'bedside.sqlite'), canaries.plant('e-mail')]);
      assert.deepEqual(leaks(canaries, await traces(server, answers, collector), gone), [
        'bedside.sqlite node.name: e-mail',
        'file left-behind: patient id',
        'log of the control plane: name',
      ]);
    });
  } finally {
    collector.close();
  }
});

const LEAK = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as database:
    database.execute("UPDATE node SET name = ?", (sys.argv[2],))
`;

test('a value is found in every form, and is not where it was not put', () => {
  const canaries = new Canaries();
  const value = canaries.plant('name');
  const sha256 = (encoding) => createHash('sha256').update(value).digest(encoding);
  const forms = [
    value, `joined ${value}!`, encodeURIComponent(value), JSON.stringify({ value }),
    Buffer.from(value).toString('hex'), Buffer.from(value, 'utf16le'), value.toLowerCase(),
    sha256(), sha256('hex'), sha256('base64'),
    ...['', 'a', 'ab', 'abc'].flatMap((lead) =>
      ['base64', 'base64url'].map((form) => Buffer.from(`${lead}${value}and more`).toString(form))),
  ];
  for (const form of forms) assert.deepEqual(canaries.find(form), ['name'], String(form));
  assert.deepEqual(canaries.find(value.slice(0, -3)), []);
  assert.deepEqual(
    leaks(canaries, [['a', value], ['ab', value], ['b', 'nothing']], { a: ['name'], ab: [] }),
    ['ab: name'],
  );
});
