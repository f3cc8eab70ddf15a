import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChatLog, type ChatMessage } from '../src/chat-log';
import { CHAT_LENGTH_MAX, CHAT_MESSAGES_MAX } from '../src/limits';
import { parseAddress } from '../src/link';
import { shortcutOf, type KeyPress } from '../src/shortcuts';
import { levelOf } from '../src/sound';

describe('address', () => {
  const parse = (path: string) => parseAddress(new URL(path, 'https://clinic.example'));

  test('the token comes from the fragment and goes from the address', () => {
    const address = parse('/consult?autojoin=1#b3Jhbmdl-_x');
    assert.deepEqual(address, {
      link: 'b3Jhbmdl-_x',
      consult: null,
      autojoin: true,
      clean: '/consult?autojoin=1',
    });
  });

  test('what cannot be a token is none', () => {
    for (const hash of [
      '',
      '#',
      '#short',
      '#with space in it',
      '#<script>alert(1)</script>',
      `#${'a'.repeat(513)}`,
    ]) {
      assert.equal(parse(`/consult${hash}`).link, null, hash.slice(0, 20));
    }
    assert.equal(parse('/?autojoin=yes#abcdefgh').autojoin, false);
    assert.equal(parse('/consult?consult=consult-a_B1').consult, 'consult-a_B1');
    assert.equal(parse('/consult?consult=a%2F..%2Fb').consult, null);
  });
});

describe('shortcuts', () => {
  const press = (change: Partial<KeyPress>): KeyPress => ({
    key: 'm',
    repeat: false,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    typing: false,
    ...change,
  });

  test('single keys work in either case', () => {
    assert.equal(shortcutOf(press({ key: 'm' })), 'microphone');
    assert.equal(shortcutOf(press({ key: 'V' })), 'camera');
    assert.equal(shortcutOf(press({ key: 'c' })), 'chat');
    assert.equal(shortcutOf(press({ key: '?' })), 'help');
    assert.equal(shortcutOf(press({ key: 'x' })), null);
  });

  test('typing, holding a key down and the browser’s own shortcuts are left alone', () => {
    const others: (keyof KeyPress)[] = ['typing', 'repeat', 'altKey', 'ctrlKey', 'metaKey'];
    for (const other of others) assert.equal(shortcutOf(press({ [other]: true })), null, other);
  });
});

describe('chat log', () => {
  const message = (id: string, change: Partial<ChatMessage> = {}): ChatMessage => ({
    id,
    from: 'Guest',
    own: false,
    body: 'Hello',
    sentAtMs: 0,
    ...change,
  });

  test('counts what arrived while it was closed', () => {
    const log = new ChatLog();
    log.add(message('1'));
    log.add(message('2', { own: true }));
    assert.equal(log.unread, 1);
    log.setOpen(true);
    log.add(message('3'));
    assert.equal(log.unread, 0);
    log.setOpen(false);
    log.add(message('4'));
    assert.equal(log.unread, 1);
  });

  test('keeps a repeated message once, and empty ones not at all', () => {
    const log = new ChatLog();
    assert.equal(log.add(message('1')), true);
    assert.equal(log.add(message('1')), false);
    assert.equal(log.add(message('2', { body: '  \n ' })), false);
    assert.equal(log.messages.length, 1);
  });

  test('is bounded in messages and in length', () => {
    const log = new ChatLog();
    for (let index = 0; index < CHAT_MESSAGES_MAX + 3; index += 1) log.add(message(String(index)));
    assert.equal(log.messages.length, CHAT_MESSAGES_MAX);
    assert.equal(log.messages[0]?.id, '3');
    log.add(message('long', { body: 'x'.repeat(CHAT_LENGTH_MAX + 1) }));
    assert.equal(log.messages.at(-1)?.body.length, CHAT_LENGTH_MAX);
  });
});

describe('level meter', () => {
  test('goes from silence to full scale, linear in decibels', () => {
    const constant = (value: number): Float32Array => new Float32Array(512).fill(value);
    assert.equal(levelOf(constant(0)), 0);
    assert.equal(levelOf(constant(0.0005)), 0);
    assert.equal(levelOf(constant(1)), 1);
    assert.ok(Math.abs(levelOf(constant(10 ** (-30 / 20))) - 0.5) < 0.001);
  });
});
