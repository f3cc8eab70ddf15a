import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INITIAL, nameOr, next, openingOf, type Event, type State } from '../src/state';

const invitation = { role: 'patient', room_label: 'Room', display_name: null } as const;

function run(...events: Event[]): State {
  return events.reduce(next, INITIAL);
}

test('a link leads through the pre-join screen into the call and out again', () => {
  const ready = run({ type: 'link_found', invitation });
  assert.deepEqual(ready, { at: 'ready', invitation });
  const joining = next(ready, { type: 'join', from: 'link' });
  assert.deepEqual(joining, { at: 'joining', from: 'link' });
  const call = next(joining, { type: 'connected' });
  assert.deepEqual(call, { at: 'in_call', connection: 'live' });
  const left = next(call, { type: 'left' });
  assert.deepEqual(left, { at: 'left' });
  assert.deepEqual(next(left, { type: 'join', from: 'session' }), {
    at: 'joining',
    from: 'session',
  });
});

test('a dropped connection shows in the call and heals there', () => {
  const call = run({ type: 'join', from: 'session' }, { type: 'connected' });
  const resuming = next(call, { type: 'resuming' });
  assert.deepEqual(resuming, { at: 'in_call', connection: 'resuming' });
  const restarting = next(resuming, { type: 'restarting' });
  assert.deepEqual(restarting, { at: 'in_call', connection: 'restarting' });
  assert.deepEqual(next(restarting, { type: 'connected' }), call);
});

test('events that come too late or too early change nothing', () => {
  const left = run({ type: 'join', from: 'link' }, { type: 'connected' }, { type: 'left' });
  for (const type of ['connected', 'resuming', 'restarting', 'left', 'open'] as const) {
    assert.equal(next(left, { type }), left, type);
  }
  assert.equal(next(INITIAL, { type: 'connected' }), INITIAL);
  const joining = run({ type: 'join', from: 'link' });
  assert.equal(next(joining, { type: 'join', from: 'link' }), joining, 'a double click joins once');
  const removed = run({ type: 'failed', code: 'removed' });
  assert.equal(next(removed, { type: 'left' }), removed);
  assert.equal(next(removed, { type: 'link_found', invitation }), removed);
});

test('a failure can follow anything, and trying again starts over', () => {
  const failed = run({ type: 'failed', code: 'server_unavailable' });
  assert.deepEqual(failed, { at: 'failed', code: 'server_unavailable' });
  assert.equal(next(failed, { type: 'open' }), INITIAL);
  assert.deepEqual(next(failed, { type: 'join', from: 'link' }), { at: 'joining', from: 'link' });
});

test('a fresh page begins with its link, else with what the tab remembers', () => {
  assert.equal(openingOf('token-token', 'room', 'left'), 'look_up_link');
  assert.equal(openingOf(null, 'room', 'in_call'), 'return_to_call');
  assert.equal(openingOf(null, null, 'left'), 'show_left');
  assert.equal(openingOf(null, 'room', 'left'), 'look_up_consult');
  assert.equal(openingOf(null, null, 'in_call'), 'return_to_call');
  assert.equal(openingOf(null, null, null), 'no_link');
});

test('somebody without a name is called by the role', () => {
  const words = { patient: 'Patient', clinician: 'Clinician', other: 'Guest' };
  assert.equal(nameOr(' Sam ', 'patient', words), 'Sam');
  assert.equal(nameOr('  ', 'patient', words), 'Patient');
  assert.equal(nameOr(undefined, 'clinician', words), 'Clinician');
  assert.equal(nameOr('', null, words), 'Guest');
});
