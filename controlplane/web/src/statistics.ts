/**
 * Tells the server how the call goes: numbers only.
 *
 * `getStats` also says addresses, device names and identifiers. None of them is in what is sent;
 * the server reads nothing else anyway, and keeps no report: it adds the numbers up.
 */
import { RoomEvent, type Room } from 'livekit-client';
import { STATISTICS_ENTRIES_MAX, STATISTICS_SAMPLE_MS, STATISTICS_SAMPLES } from './limits';
import type { Clock } from './timings';

/** What is sent of one dictionary of `getStats`, by the standard's names. */
export type Entry = Record<string, string | number>;

/** One dictionary of `getStats`, as far as it is looked at. */
type Stats = Record<string, unknown> & { readonly id: string; readonly type: string };

/** Samples the room's tracks while there is a call, and reports. */
export class Reporter {
  readonly #room: Room;
  readonly #clock: Clock;
  readonly #projection = new Projection();
  #timer: ReturnType<typeof setInterval> | null = null;
  #samples = 0;
  #entries: Entry[] = [];
  #joinReported = false;
  /** The server takes no reports, or not from us. */
  #refused = false;

  constructor(room: Room, clock: Clock) {
    this.#room = room;
    this.#clock = clock;
    room.on(RoomEvent.Connected, () => this.#start());
    room.on(RoomEvent.Disconnected, () => this.#stop());
    addEventListener('pagehide', () => this.#stop());
  }

  #start(): void {
    if (this.#refused || this.#timer !== null) return;
    this.#joinReported = false;
    this.#timer = setInterval(() => void this.#sample(), STATISTICS_SAMPLE_MS);
  }

  /** What was sampled and not sent yet goes out with the page. */
  #stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    const body = new Blob([this.#report()], { type: 'application/json' });
    navigator.sendBeacon(PATH, body);
    this.#projection.forget();
  }

  async #sample(): Promise<void> {
    const { localParticipant, remoteParticipants } = this.#room;
    const people = [localParticipant, ...remoteParticipants.values()];
    const tracks = people.flatMap((one) => [...one.trackPublications.values()]);
    const reports = await Promise.all(
      tracks.map(({ track }) => track?.getRTCStatsReport().catch(() => undefined)),
    );
    if (this.#timer === null) return;
    // Each track's report has the same candidate pair.
    const all = new Map<string, Stats>();
    for (const report of reports) report?.forEach((stats: Stats) => all.set(stats.id, stats));
    this.#entries.push(...this.#projection.take(all));
    this.#samples += 1;
    if (this.#samples >= STATISTICS_SAMPLES) await this.#send();
  }

  async #send(): Promise<void> {
    const answer = await fetch(PATH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: this.#report(),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
    }).catch(() => null);
    // Statistics are worth no second attempt; where none are taken, none are sent. A session that
    // is refused may only be locked.
    this.#refused = answer?.status === 404;
    if (!this.#refused || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** What has come together since the last report. */
  #report(): string {
    const join = this.#joinReported ? {} : { join: joinTimes(this.#clock) };
    this.#joinReported = true;
    const reports = this.#entries.slice(0, STATISTICS_ENTRIES_MAX);
    this.#entries = [];
    this.#samples = 0;
    return JSON.stringify({ ...join, reports });
  }
}

/** Seconds from the click on join to each step that was reached. */
function joinTimes({ timings }: Clock): Record<string, number> {
  const { joinClickMs, signalConnectedMs, connectedMs, firstRemoteVideoMs } = timings;
  const since = (name: string, at: number | null): [string, number][] =>
    joinClickMs === null || at === null ? [] : [[name, (at - joinClickMs) / 1_000]];
  return Object.fromEntries([
    ...since('signalling', signalConnectedMs),
    ...since('connected', connectedMs),
    ...since('firstFrame', firstRemoteVideoMs),
  ]);
}

/** Takes numbers out of `getStats`; counters become what was added since the sample before. */
export class Projection {
  /** By the browser's own ids, which stay here. */
  #before = new Map<string, number>();
  #path = '';

  take(all: ReadonlyMap<string, Stats>): Entry[] {
    const seen = new Map<string, number>();
    const entries: Entry[] = [];
    for (const stats of all.values()) {
      const allowed = NUMBERS[stats.type];
      if (allowed === undefined) continue;
      const entry: Entry = { type: stats.type };
      if (stats['kind'] === 'audio' || stats['kind'] === 'video') entry['kind'] = stats['kind'];
      for (const name of allowed.counters) {
        const value = stats[name];
        if (typeof value !== 'number') continue;
        const key = `${stats.id} ${name}`;
        seen.set(key, value);
        entry[name] = Math.max(0, value - (this.#before.get(key) ?? 0));
      }
      for (const name of allowed.gauges) {
        const value = stats[name];
        if (typeof value === 'number') entry[name] = value;
      }
      entries.push(entry);
    }
    this.#before = seen;
    const pair = this.#pair(all);
    if (pair !== null) entries.push(pair);
    return entries;
  }

  /** The next sample counts from nothing again. */
  forget(): void {
    this.#before.clear();
    this.#path = '';
  }

  /** The selected pair; how its address was found only when that has changed. */
  #pair(all: ReadonlyMap<string, Stats>): Entry | null {
    const transports = [...all.values()].filter(({ type }) => type === 'transport');
    const selected = transports.map((one) => all.get(String(one['selectedCandidatePairId'])));
    const pair =
      selected.find((one) => one !== undefined) ??
      // Firefox has no transports.
      [...all.values()].find((one) => one.type === 'candidate-pair' && one['selected'] === true);
    if (pair === undefined) return null;
    const entry: Entry = { type: 'candidate-pair' };
    const roundTrip = pair['currentRoundTripTime'];
    if (typeof roundTrip === 'number') entry['currentRoundTripTime'] = roundTrip;
    const remote = all.get(String(pair['remoteCandidateId']));
    if (remote === undefined || pair.id === this.#path) return entry;
    this.#path = pair.id;
    const type = remote['candidateType'];
    const protocol = remote['protocol'];
    if (CANDIDATE_TYPES.includes(String(type))) entry['remoteCandidateType'] = String(type);
    if (protocol === 'udp' || protocol === 'tcp') entry['protocol'] = protocol;
    return entry;
  }
}

const PATH = '/api/statistics';

const CANDIDATE_TYPES: readonly string[] = ['host', 'srflx', 'prflx', 'relay'];

/** The allow-list; `controlplane/server/src/statistics/report.rs` has the same. */
const NUMBERS: Record<string, { counters: readonly string[]; gauges: readonly string[] }> = {
  'inbound-rtp': {
    counters: [
      'packetsReceived',
      'packetsLost',
      'freezeCount',
      'totalFreezesDuration',
      'concealedSamples',
      'totalSamplesReceived',
      'framesDecoded',
      'framesDropped',
    ],
    gauges: ['jitter'],
  },
  'outbound-rtp': { counters: ['packetsSent'], gauges: [] },
  'remote-inbound-rtp': { counters: ['packetsLost'], gauges: [] },
};
