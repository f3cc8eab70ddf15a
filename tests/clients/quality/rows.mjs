// What is asked: the networks, and the goals of the specification.

import { concealed, delays, drop, frames, rise } from './measures.mjs';

/** One way on each leg: "40 ms" is what they add up to. */
export const LEG_DELAY_MS = 20;

/** What one leg does: nothing but its delay, in both directions. */
const leg = { delay_ms: LEG_DELAY_MS };

const FALL_KBPS = 400;
const FREE_KBPS = 5_000;
const QUEUE_MS = 1_000;

/** Between the fall to a rate for voice alone and the first second that counts. */
const SETTLING_S = 10;

/** `fall` and `rise` in seconds of the run: thirds of it. */
export function thirds(seconds) {
  return { fall: seconds / 3, rise: (2 * seconds) / 3 };
}

/**
 * Each row of the specification that real clients can show. `impair(direction, seconds)` is what the
 * impaired leg does: `both` directions, and what is different in the direction that media takes.
 */
export const rows = [
  {
    name: 'clean',
    title: '40 ms, no loss',
    legs: ['both'],
    impair: () => ({}),
    joins: true,
    goals: (run) => [
      goal('one-way audio p99', delays(run).p99, 'ms', '<', 120),
      goal('first remote frame, slowest of the joins', run.joins?.slowest, 'ms', '<', 1_000),
    ],
  },
  {
    name: 'loss-2',
    title: '40 ms, 2 % random loss',
    legs: ['receiver', 'sender'],
    impair: () => ({ both: { loss: 0.02 } }),
    goals: (run) => [
      goal('one-way audio p99', delays(run).p99, 'ms', '<', 150),
      goal('concealed audio', concealed(run), '%', '<', 1),
      goal('longest time without a new frame', frames(run).longest_ms, 'ms', '<=', 200),
    ],
  },
  {
    name: 'bursts-5',
    title: '40 ms, 5 % loss in bursts of 3',
    legs: ['receiver', 'sender'],
    impair: () => ({ both: { burst: { loss: 0.05, length: 3 } } }),
    goals: (run) => [
      goal('one-way audio p99', delays(run).p99, 'ms', '<', 200),
      goal('concealed audio', concealed(run), '%', '<', 3),
    ],
  },
  {
    name: 'loss-10',
    title: '10 % loss',
    legs: ['receiver', 'sender'],
    impair: () => ({ both: { loss: 0.1 } }),
    goals: (run) => [
      goal('concealed audio', concealed(run), '%', '<', 6),
      goal('video', frames(run).rate, 'frames/s', '>=', 10),
    ],
  },
  {
    name: 'drop-400',
    title: '5 Mbit/s, then 400 kbit/s (1 s queue), then 5 Mbit/s',
    legs: ['receiver', 'sender'],
    impair: (seconds) => ({
      media: { rate_kbps: FREE_KBPS, queue_ms: QUEUE_MS },
      changes: [
        { at_s: thirds(seconds).fall, media: { rate_kbps: FALL_KBPS } },
        { at_s: thirds(seconds).rise, media: { rate_kbps: FREE_KBPS } },
      ],
    }),
    goals: (run) => {
      const { fall, rise: up } = thirds(run.seconds);
      const after = drop(run, fall, up);
      return [
        goal('longest one-way audio after the drop', after.longest_ms, 'ms', '<=', 400),
        goal('audio back under 150 ms after', after.back_s, 's', '<=', 3),
        goal('video at a lower layer, or paused, after', after.lower_s, 's', '<=', 2),
        goal('top layer after the rise', rise(run, up), 's', '<=', 8),
      ];
    },
  },
  {
    name: 'voice-60',
    title: '60 kbit/s',
    legs: ['receiver', 'sender'],
    impair: () => ({
      media: { rate_kbps: FREE_KBPS, queue_ms: QUEUE_MS },
      changes: [{ at_s: 0, media: { rate_kbps: 60 } }],
    }),
    // A run may be too short to settle; then all of it counts.
    goals: (run) => {
      const from = run.seconds > 2 * SETTLING_S ? SETTLING_S : 0;
      return [goal(`concealed audio, from ${from} s after the fall`, concealed(run, from), '%', '<', 5)];
    },
  },
];

/** A figure beside its goal; `measured` is `null` where the run could not show it, which misses. */
function goal(figure, measured, unit, relation, bound) {
  const value = Number.isFinite(measured) ? measured : null;
  const met =
    value !== null &&
    { '<': value < bound, '<=': value <= bound, '>=': value >= bound }[relation];
  return { figure, measured: value, unit, relation, bound, met };
}

/** Profiles for the relays of both legs, as TOML. */
export function profiles(row, impairedLeg, seconds, seed) {
  const impairment = row.impair(seconds);
  const profile = (name) => {
    const impaired = impairedLeg === name ? impairment : {};
    // From the client to the server is the direction of the sender's media.
    const media = name === 'sender' ? 'up' : 'down';
    const direction = (d) => ({ ...leg, ...impaired.both, ...(d === media ? impaired.media : {}) });
    const lines = [
      `seed = ${seed + (name === 'sender' ? 0 : 1)}`,
      `up = ${toml(direction('up'))}`,
      `down = ${toml(direction('down'))}`,
    ];
    for (const change of impaired.changes ?? []) {
      lines.push('[[change]]', `at_ms = ${Math.round(change.at_s * 1_000)}`);
      lines.push(`${media} = ${toml(change.media)}`);
    }
    return `${lines.join('\n')}\n`;
  };
  return { sender: profile('sender'), receiver: profile('receiver') };
}

/** Settings that the relay reads as floats. */
const FLOATS = ['delay_ms', 'queue_ms', 'loss', 'length'];

function toml(table) {
  const value = (key, v) => {
    if (typeof v === 'object') return toml(v);
    return FLOATS.includes(key) && Number.isInteger(v) ? `${v}.0` : String(v);
  };
  return `{ ${Object.entries(table).map(([key, v]) => `${key} = ${value(key, v)}`).join(', ')} }`;
}
