// From what a run recorded to figures. Times are seconds since its beginning, where they are not
// named otherwise.

/**
 * Tones go round, so that a burst is told from those before and after it, for longer than a queue
 * and a jitter buffer can hold it back: 24 of them, 9 % apart, which 40 ms of sound tell apart.
 */
export const TONES_HZ = Array.from({ length: 24 }, (_, index) => Math.round(500 * 1.09 ** index));
export const BURST_INTERVAL_S = 0.2;
export const BURST_S = 0.06;

/** A burst is matched with nothing that comes later: then the next one of its tone is due. */
const MATCH_MAX_S = TONES_HZ.length * BURST_INTERVAL_S - 0.1;

/**
 * How long each burst took, from `sent` to `heard` ({at, tone}, of one clock): [[at, ms]], and those
 * that were never heard.
 */
export function match(sent, heard) {
  const delays = [];
  let unheard = 0;
  let next = 0;
  for (const burst of sent) {
    while (next < heard.length && heard[next].at <= burst.at) next += 1;
    const until = burst.at + MATCH_MAX_S;
    let found = next;
    while (found < heard.length && heard[found].at < until && heard[found].tone !== burst.tone) found += 1;
    if (found < heard.length && heard[found].at < until) {
      delays.push([burst.at, (heard[found].at - burst.at) * 1_000]);
      next = found + 1;
    } else if (sent.at(-1).at - burst.at > MATCH_MAX_S) {
      // The last ones may only have been under way still.
      unheard += 1;
    }
  }
  return { delays, unheard };
}

/** The value below or at which a share of them lies; `null` of nothing. */
export function quantile(values, share) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** One-way audio of the whole run. */
export function delays(run) {
  const values = run.delays.map(([, ms]) => ms);
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99), max: quantile(values, 1) };
}

/** Audio that was made up, in percent; what was silent anyway does not count. */
export function concealed(run, from = 0) {
  const samples = run.samples.filter((sample) => sample.at >= from && sample.audio);
  if (samples.length < 2) return null;
  const of = (key) => samples.at(-1).audio[key] - samples[0].audio[key];
  const made_up = of('concealedSamples') - of('silentConcealedSamples');
  return (100 * made_up) / of('totalSamplesReceived');
}

/** Frames that were shown: [[at, height]]. */
export function frames(run) {
  const at = [0, ...run.frames.map(([time]) => time), run.seconds];
  const gaps = at.slice(1).map((time, index) => (time - at[index]) * 1_000);
  return { rate: run.frames.length / run.seconds, longest_ms: Math.max(...gaps) };
}

/** After the rate fell at `fall`, until it rises at `rise`. */
export function drop(run, fall, rise) {
  const after = run.delays.filter(([at]) => at >= fall && at < rise);
  const late = after.filter(([, ms]) => ms >= 150);
  const before = Math.max(0, ...run.frames.filter(([at]) => at < fall).map(([, height]) => height));
  return {
    longest_ms: quantile(after.map(([, ms]) => ms), 1),
    // Zero where it never was above; not shown where it still is at the end.
    back_s: (after.at(-1)?.[1] ?? 150) >= 150 ? null : Math.max(0, ...late.map(([at]) => at - fall)),
    lower_s: before === 0 ? null : lower(run, fall, rise, before),
  };
}

/**
 * Until the picture is smaller, or the server says that it has paused it. A picture that only stands
 * still is neither.
 */
function lower(run, fall, rise, before) {
  const within = ([at]) => at >= fall && at < rise;
  const smaller = run.frames.filter(within).find(([, height]) => height < before);
  const paused = run.events.filter(within).find(([, text]) => text === PAUSED);
  const first = Math.min(smaller?.[0] ?? Infinity, paused?.[0] ?? Infinity);
  return Number.isFinite(first) ? first - fall : null;
}

/** What `page.mjs` notes of LiveKit's stream state. */
const PAUSED = 'receiver: trackStreamStateChanged paused';

/** Until the picture is the largest of the camera's layers after the rate rose at `up`. */
export function rise(run, up) {
  const first = run.frames.find(([at, height]) => at >= up && height >= run.top_height);
  return first ? first[0] - up : null;
}
