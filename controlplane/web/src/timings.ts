/** How long joining takes, as the browser sees it. Read by tests through `window.bedside`. */

/** Moments in milliseconds since the navigation started; `null` until they happen. */
export interface Timings {
  /** The page is drawn, the link is looked up, the join button works. */
  pageReadyMs: number | null;
  /** The last click on join, or its automatic equivalent. */
  joinClickMs: number | null;
  /** The server has admitted us and given out a token. */
  admittedMs: number | null;
  /** LiveKit's signalling is connected. */
  signalConnectedMs: number | null;
  /** ICE and DTLS are done. */
  connectedMs: number | null;
  /** The first frame of a remote picture has been drawn (`requestVideoFrameCallback`). */
  firstRemoteVideoMs: number | null;
  /** The first packet of a remote sound has been played out. */
  firstRemoteAudioMs: number | null;
}

export class Clock {
  readonly #timings: Timings = {
    pageReadyMs: null,
    joinClickMs: null,
    admittedMs: null,
    signalConnectedMs: null,
    connectedMs: null,
    firstRemoteVideoMs: null,
    firstRemoteAudioMs: null,
  };

  /** A copy, so that a reader cannot change it. */
  get timings(): Readonly<Timings> {
    return Object.freeze({ ...this.#timings });
  }

  /** Notes a moment, once. */
  mark(moment: keyof Timings): void {
    this.#timings[moment] ??= performance.now();
  }

  /** A new attempt to join: forgets everything after the page became ready. */
  startJoin(): void {
    for (const moment of Object.keys(this.#timings) as (keyof Timings)[]) {
      if (moment !== 'pageReadyMs') this.#timings[moment] = null;
    }
    this.mark('joinClickMs');
  }
}
