/** The microphone's level meter and the speaker's test sound, on the Web Audio API. */

/** Follows the level of one microphone track until it is stopped. */
export class LevelMeter {
  readonly #onLevel: (level: number) => void;
  #context: AudioContext | null = null;
  #source: MediaStreamAudioSourceNode | null = null;
  #frame = 0;

  constructor(onLevel: (level: number) => void) {
    this.#onLevel = onLevel;
    // A context that starts before the first click may be suspended; the next one wakes it.
    document.addEventListener('pointerdown', this.#resume);
    document.addEventListener('keydown', this.#resume);
  }

  /** Follows another track, or none. */
  follow(track: MediaStreamTrack | null): void {
    this.#source?.disconnect();
    this.#source = null;
    cancelAnimationFrame(this.#frame);
    this.#onLevel(0);
    if (track === null) return;
    // Made only now: a context without a microphone beside it is refused before the first click.
    this.#context ??= new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 512;
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let shown = 0;
    const measure = (): void => {
      analyser.getFloatTimeDomainData(samples);
      // Up at once, down slowly: what an eye can follow.
      shown = Math.max(levelOf(samples), shown * 0.9);
      this.#onLevel(shown);
      this.#frame = requestAnimationFrame(measure);
    };
    measure();
  }

  stop(): void {
    this.follow(null);
    document.removeEventListener('pointerdown', this.#resume);
    document.removeEventListener('keydown', this.#resume);
    void this.#context?.close();
  }

  readonly #resume = (): void => void this.#context?.resume();
}

/** Level of a block of samples, 0 (-60 dBFS or less) to 1 (full scale), linear in decibels. */
export function levelOf(samples: Float32Array): number {
  let energy = 0;
  for (const sample of samples) energy += sample * sample;
  const decibels = 10 * Math.log10(energy / samples.length + 1e-12);
  return Math.min(Math.max((decibels - FLOOR_DECIBELS) / -FLOOR_DECIBELS, 0), 1);
}

/** Plays two soft notes on the chosen speaker (`null`: the system's default). */
export async function playTestSound(speakerId: string | null): Promise<void> {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  for (const [index, frequency] of TEST_NOTES_HZ.entries()) {
    const from = context.currentTime + index * NOTE_SECONDS;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0, from);
    volume.gain.linearRampToValueAtTime(0.2, from + 0.05);
    volume.gain.linearRampToValueAtTime(0, from + NOTE_SECONDS);
    tone.connect(volume).connect(output);
    tone.start(from);
    tone.stop(from + NOTE_SECONDS);
  }
  const element = new Audio();
  element.srcObject = output.stream;
  try {
    if (speakerId !== null && canChooseSpeaker()) await element.setSinkId(speakerId);
    await element.play();
    await new Promise((done) =>
      setTimeout(done, TEST_NOTES_HZ.length * NOTE_SECONDS * 1_000 + 200),
    );
  } finally {
    element.srcObject = null;
    await context.close();
  }
}

/** Whether the browser lets a page choose the speaker (Safari and older Firefox do not). */
export function canChooseSpeaker(): boolean {
  return 'setSinkId' in HTMLMediaElement.prototype;
}

const FLOOR_DECIBELS = -60;
const TEST_NOTES_HZ = [523.25, 659.25] as const;
const NOTE_SECONDS = 0.5;
