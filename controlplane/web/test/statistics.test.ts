import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Projection } from '../src/statistics';

/** What a browser says of a call, with somebody in every text. */
function stats(packets: number) {
  const all = [
    {
      id: 'IT-canary',
      type: 'inbound-rtp',
      kind: 'audio',
      packetsReceived: packets,
      packetsLost: 2,
      jitter: 0.003,
      trackIdentifier: 'canary',
      mid: 'canary',
      audioLevel: 0.5,
      ssrc: 7,
    },
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P', dtlsCipher: 'canary' },
    {
      id: 'P',
      type: 'candidate-pair',
      remoteCandidateId: 'R',
      localCandidateId: 'L',
      currentRoundTripTime: 0.02,
    },
    { id: 'R', type: 'remote-candidate', candidateType: 'host', protocol: 'udp', address: 'canary' },
    { id: 'L', type: 'local-candidate', address: '203.0.113.9', usernameFragment: 'canary' },
    { id: 'S', type: 'media-source', trackIdentifier: 'canary' },
    { id: 'C', type: 'certificate', fingerprint: 'canary', base64Certificate: 'canary' },
  ];
  return new Map(all.map((one) => [one.id, one]));
}

describe('statistics', () => {
  test('are numbers and closed words', () => {
    const entries = new Projection().take(stats(100));
    assert.deepEqual(entries, [
      { type: 'inbound-rtp', kind: 'audio', packetsReceived: 100, packetsLost: 2, jitter: 0.003 },
      {
        type: 'candidate-pair',
        currentRoundTripTime: 0.02,
        remoteCandidateType: 'host',
        protocol: 'udp',
      },
    ]);
    assert.doesNotMatch(JSON.stringify(entries), /canary|203/);
  });

  test('count from the sample before, and name a path once', () => {
    const projection = new Projection();
    projection.take(stats(100));
    assert.deepEqual(projection.take(stats(150)), [
      { type: 'inbound-rtp', kind: 'audio', packetsReceived: 50, packetsLost: 0, jitter: 0.003 },
      { type: 'candidate-pair', currentRoundTripTime: 0.02 },
    ]);
  });

  test('words that nobody knows are left out', () => {
    const odd = stats(1);
    Object.assign(odd.get('R')!, { candidateType: 'canary', protocol: 'canary' });
    Object.assign(odd.get('IT-canary')!, { kind: 'canary', packetsLost: 'canary' });
    assert.doesNotMatch(JSON.stringify(new Projection().take(odd)), /canary/);
  });

  test('Firefox says which pair is selected at the pair', () => {
    const firefox = stats(1);
    firefox.delete('T');
    Object.assign(firefox.get('P')!, { selected: true });
    const pair = new Projection().take(firefox).find(({ type }) => type === 'candidate-pair');
    assert.equal(pair?.['protocol'], 'udp');
  });
});
