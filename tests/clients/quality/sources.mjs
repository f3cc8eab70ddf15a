// What the fake microphone and the fake camera give.

import { open, writeFile } from 'node:fs/promises';
import { BURST_INTERVAL_S, BURST_S, TONES_HZ } from './measures.mjs';

const SAMPLE_RATE_HZ = 48_000;
/** Bursts stand out of the noise by this much more than the detector's threshold. */
const BURST_AMPLITUDE = 0.3;
/** Enough that the encoder finds something to send between two bursts. */
const NOISE_AMPLITUDE = 0.008;
/** A whole number of rounds of tones, since the file is played in a loop. */
const SOUND_S = 4 * TONES_HZ.length * BURST_INTERVAL_S;

/** Bursts of tones in noise, as a WAV file: 16 bits, mono. */
export async function writeSound(path) {
  const count = Math.round(SOUND_S * SAMPLE_RATE_HZ);
  const file = Buffer.alloc(44 + 2 * count);
  file.write('RIFF', 0);
  file.writeUInt32LE(36 + 2 * count, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  file.writeUInt32LE(2 * SAMPLE_RATE_HZ, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36);
  file.writeUInt32LE(2 * count, 40);
  const random = noise(1);
  const every = Math.round(BURST_INTERVAL_S * SAMPLE_RATE_HZ);
  for (let index = 0; index < count; index += 1) {
    const within = index % every;
    const tone = TONES_HZ[Math.floor(index / every) % TONES_HZ.length];
    const burst = within < BURST_S * SAMPLE_RATE_HZ
      ? BURST_AMPLITUDE * Math.sin((2 * Math.PI * tone * within) / SAMPLE_RATE_HZ)
      : 0;
    const value = burst + NOISE_AMPLITUDE * (2 * random() - 1);
    file.writeInt16LE(Math.round(32_767 * value), 44 + 2 * index);
  }
  await writeFile(path, file);
}

const WIDTH = 1_280;
const HEIGHT = 720;
const FRAMES_PER_S = 30;
/** The picture goes round in this time: a loop without a seam. */
const PICTURE_FRAMES = 60;
/** How far it goes, as somebody who moves before a camera. */
const CIRCLE_PIXELS = 60;
/** Of a sensor: what keeps an encoder busy where nothing moves. */
const SENSOR_NOISE = 5;

/** A detailed picture that moves in a circle, with a sensor's noise, as YUV4MPEG2. */
export async function writePicture(path) {
  const random = noise(2);
  const margin = CIRCLE_PIXELS;
  const wide = WIDTH + 2 * margin;
  const high = HEIGHT + 2 * margin;
  const scene = new Uint8Array(wide * high);
  for (let y = 0; y < high; y += 1) {
    for (let x = 0; x < wide; x += 1) {
      const texture = Math.sin(x / 7) * Math.cos(y / 11) + Math.sin((x + 2 * y) / 23);
      const edges = (Math.floor(x / 80) + Math.floor(y / 60)) % 2 === 0 ? 25 : -25;
      scene[y * wide + x] = clamp(125 + 30 * texture + edges);
    }
  }
  // Noise of one frame is shifted for the others: drawing it anew would take a minute.
  const grain = new Int8Array(WIDTH * HEIGHT * 2);
  for (let index = 0; index < grain.length; index += 1) {
    grain[index] = Math.round(SENSOR_NOISE * (2 * random() - 1));
  }
  const file = await open(path, 'w');
  try {
    await file.write(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FRAMES_PER_S}:1 Ip A1:1 C420jpeg\n`);
    const frame = Buffer.alloc((WIDTH * HEIGHT * 3) / 2, 128);
    for (let number = 0; number < PICTURE_FRAMES; number += 1) {
      const angle = (2 * Math.PI * number) / PICTURE_FRAMES;
      const left = Math.round(margin * (1 + Math.cos(angle)));
      const top = Math.round(margin * (1 + Math.sin(angle)));
      const shift = Math.floor(random() * WIDTH * HEIGHT);
      for (let y = 0; y < HEIGHT; y += 1) {
        const from = (top + y) * wide + left;
        const to = y * WIDTH;
        for (let x = 0; x < WIDTH; x += 1) {
          frame[to + x] = clamp(scene[from + x] + grain[shift + to + x]);
        }
      }
      await file.write('FRAME\n');
      await file.write(frame);
    }
  } finally {
    await file.close();
  }
}

const clamp = (value) => Math.max(16, Math.min(235, Math.round(value)));

/** Evenly from 0 to 1, the same every time: Marsaglia's xorshift with 32 bits. */
function noise(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
