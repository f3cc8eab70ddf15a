/** The waiting room: the patient's wait, and the clinician's list of those who wait. */
import { request } from './account';
import type { Guest } from './clinic-api';
import { Failure, type FailureCode } from './failures';
import { WAIT_RETRY_MS, WAIT_TIMEOUT_MS } from './limits';

/**
 * Returns once somebody has let this browser in; a lost connection is waited out.
 *
 * @throws {Failure} when they turned it away, or the link is over.
 */
export async function waitUntilAdmitted(): Promise<void> {
  for (;;) {
    try {
      const answer = await request('POST', '/api/wait', {}, WAIT_TIMEOUT_MS);
      const { state } = answer as { state: string };
      if (state === 'admitted') return;
      if (state === 'turned_away') throw new Failure('turned_away');
    } catch (error) {
      if (!(error instanceof Failure) || !PASSING.has(error.code)) throw error;
      await pause();
    }
  }
}

/** Follows who waits for a consult, until it is stopped or may not be seen. */
export class WaitingList {
  readonly #room: string | null;
  readonly #changed: (guests: readonly Guest[]) => void;
  #stopped = false;

  /** `room` for somebody with several consults; a link says it otherwise. */
  constructor(room: string | null, changed: (guests: readonly Guest[]) => void) {
    this.#room = room;
    this.#changed = changed;
    void this.#follow();
  }

  async decide(identity: string, admit: boolean): Promise<void> {
    await request('POST', '/api/admit', { room: this.#room, identity, admit });
  }

  stop(): void {
    this.#stopped = true;
  }

  async #follow(): Promise<void> {
    let version: number | null = null;
    while (!this.#stopped) {
      try {
        const body = { room: this.#room, version };
        const answer = await request('POST', '/api/waiting', body, WAIT_TIMEOUT_MS);
        const list = answer as { version: number; waiting: Guest[] };
        version = list.version;
        if (!this.#stopped) this.#changed(list.waiting);
      } catch (error) {
        if (!(error instanceof Failure) || !PASSING.has(error.code)) return;
        await pause();
      }
    }
  }
}

function pause(): Promise<void> {
  return new Promise((done) => setTimeout(done, WAIT_RETRY_MS));
}

/** What a little patience may mend. */
const PASSING: ReadonlySet<FailureCode> = new Set(['server_unavailable', 'offline', 'rate_limited']);
