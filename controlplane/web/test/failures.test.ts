import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionErrorReason as Reason, DisconnectReason } from 'livekit-client';
import {
  actionFor,
  FAILURE_CODES,
  failureOfApi,
  failureOfConnect,
  failureOfDevice,
  failureOfDisconnect,
  failureOfFetch,
  type FailureCode,
} from '../src/failures';
import { text } from '../src/strings';

test('an API error that the contract names keeps its name', () => {
  const named = [
    'link_expired',
    'link_used',
    'link_unknown',
    'session_ended',
    'rate_limited',
    'server_unavailable',
  ];
  for (const error of named) assert.equal(failureOfApi(400, error), error);
});

test('an API error without a known name is judged by its status', () => {
  const cases: [number, unknown, FailureCode][] = [
    [401, null, 'log_in_first'],
    [403, null, 'not_allowed'],
    [429, null, 'rate_limited'],
    [500, undefined, 'server_unavailable'],
    [503, 'something new', 'server_unavailable'],
    [404, null, 'link_unknown'],
    [400, 7, 'link_unknown'],
    [400, 'removed', 'link_unknown'],
  ];
  for (const [status, error, code] of cases) assert.equal(failureOfApi(status, error), code);
});

test('a request without an answer blames the device only when it knows that it is offline', () => {
  assert.equal(failureOfFetch(true), 'server_unavailable');
  assert.equal(failureOfFetch(false), 'offline');
});

test('a failed connection blames media only after signalling has connected', () => {
  const cases: [Reason | undefined, DisconnectReason | undefined, boolean, boolean, FailureCode][] =
    [
      [Reason.InternalError, undefined, true, true, 'network_media'],
      [Reason.InternalError, undefined, false, true, 'network_signal'],
      [Reason.ServerUnreachable, undefined, false, true, 'network_signal'],
      [Reason.Timeout, undefined, false, true, 'network_signal'],
      [Reason.WebSocket, undefined, false, false, 'offline'],
      [Reason.NotAllowed, undefined, false, true, 'not_allowed'],
      [Reason.LeaveRequest, DisconnectReason.DUPLICATE_IDENTITY, false, true, 'joined_elsewhere'],
      [Reason.LeaveRequest, DisconnectReason.ROOM_DELETED, true, true, 'room_closed'],
      [undefined, undefined, false, true, 'network_signal'],
    ];
  for (const [reason, leave, signalConnected, online, code] of cases) {
    assert.equal(failureOfConnect(reason, leave, signalConnected, online), code);
  }
});

test('a call that ends says why', () => {
  const cases: [DisconnectReason | undefined, boolean, FailureCode][] = [
    [DisconnectReason.DUPLICATE_IDENTITY, true, 'joined_elsewhere'],
    [DisconnectReason.PARTICIPANT_REMOVED, true, 'removed'],
    [DisconnectReason.ROOM_DELETED, true, 'room_closed'],
    [DisconnectReason.ROOM_CLOSED, true, 'room_closed'],
    [DisconnectReason.SERVER_SHUTDOWN, true, 'server_unavailable'],
    [DisconnectReason.UNKNOWN_REASON, true, 'connection_lost'],
    [DisconnectReason.SIGNAL_CLOSE, false, 'offline'],
    [undefined, true, 'connection_lost'],
  ];
  for (const [reason, online, code] of cases)
    assert.equal(failureOfDisconnect(reason, online), code);
});

test('a device that does not open says why', () => {
  const error = (name: string): Error => Object.assign(new Error(), { name });
  assert.equal(failureOfDevice(error('NotAllowedError'), 'camera'), 'permission_denied');
  assert.equal(failureOfDevice(error('NotFoundError'), 'camera'), 'no_camera');
  assert.equal(failureOfDevice(error('NotFoundError'), 'microphone'), 'no_microphone');
  assert.equal(failureOfDevice(error('OverconstrainedError'), 'microphone'), 'no_microphone');
  assert.equal(failureOfDevice(error('NotReadableError'), 'camera'), 'device_in_use');
  assert.equal(failureOfDevice(error('TypeError'), 'camera'), 'device_failed');
  assert.equal(failureOfDevice('not an error', 'camera'), 'device_failed');
});

test('every failure has words, and its advice names the button that it offers', () => {
  for (const code of FAILURE_CODES) {
    const words = text.failures[code];
    assert.ok(words.title.length > 0 && words.detail.length > 0, code);
    assert.ok(words.steps.length > 0, `${code} says what to do`);
    const advice = words.steps.join(' ');
    if (actionFor(code) === 'retry') assert.ok(advice.includes(`“${text.retry}”`), code);
    if (actionFor(code) === 'rejoin') assert.ok(advice.includes(`“${text.rejoin}”`), code);
  }
});
