/** Plays what the others say. Sound needs elements, but nothing to look at. */
import { RemoteAudioTrack, type RemoteTrack } from 'livekit-client';
import { h } from './dom';
import { FIRST_AUDIO_WATCH_MS } from './limits';
import type { Clock } from './timings';

export class RemoteAudio {
  readonly #clock: Clock;
  readonly #holder = h('div', { hidden: true });

  constructor(clock: Clock) {
    this.#clock = clock;
    document.body.append(this.#holder);
  }

  add(track: RemoteTrack): void {
    if (!(track instanceof RemoteAudioTrack)) return;
    this.#holder.append(track.attach());
    if (this.#clock.timings.firstRemoteAudioMs === null) this.#watchFirstSound(track);
  }

  remove(track: RemoteTrack): void {
    if (!(track instanceof RemoteAudioTrack)) return;
    for (const element of track.detach()) element.remove();
  }

  clear(): void {
    this.#holder.replaceChildren();
  }

  /** A synchronization source appears once a packet has been played out. */
  #watchFirstSound(track: RemoteAudioTrack): void {
    const until = performance.now() + FIRST_AUDIO_WATCH_MS;
    const look = (): void => {
      if ((track.receiver?.getSynchronizationSources().length ?? 0) > 0) {
        this.#clock.mark('firstRemoteAudioMs');
      } else if (performance.now() < until && track.attachedElements.length > 0) {
        setTimeout(look, FIRST_SOUND_POLL_MS);
      }
    };
    look();
  }
}

const FIRST_SOUND_POLL_MS = 10;
