/** One tile of the call: a person, or a shared screen. */
import { ConnectionQuality, Track, type Participant, type VideoTrack } from 'livekit-client';
import { qualityWords } from '../consult';
import { h, setAttribute, setText } from '../dom';
import { icon, setIcon, type IconName } from '../icons';
import { chooseFit } from '../layout';
import { text } from '../strings';
import type { Clock } from '../timings';

export type TileKind = 'person' | 'screen';

/** What tells two tiles apart. */
export function tileKey(participant: Participant, kind: TileKind): string {
  return `${kind}:${participant.identity}`;
}

export class Tile {
  readonly element: HTMLElement;
  /** A person who reconnects is a new participant with the same identity. */
  readonly participant: Participant;
  readonly #kind: TileKind;
  readonly #clock: Clock;
  readonly #video: HTMLVideoElement;
  readonly #initials = h('div', { class: 'initials', 'aria-hidden': 'true' });
  readonly #name = h('span', { class: 'tile-name' });
  readonly #muted = h('span', { class: 'tile-muted', hidden: true }, icon('microphone_off'));
  readonly #qualityWords = h('span', { class: 'quality-words' });
  readonly #quality = h('span', { class: 'quality', hidden: true }, this.#qualityWords);
  readonly #paused = h('p', { class: 'tile-paused', hidden: true }, text.tile.paused);
  #track: VideoTrack | null = null;

  constructor(participant: Participant, kind: TileKind, clock: Clock) {
    this.participant = participant;
    this.#kind = kind;
    this.#clock = clock;
    this.#video = h('video', {
      playsinline: true,
      autoplay: true,
      'data-testid': participant.isLocal ? 'local-video' : 'remote-video',
      class: participant.isLocal && kind === 'person' ? 'mirrored' : null,
    });
    this.#video.muted = true;
    this.#video.addEventListener('resize', () => this.fit());
    this.element = h(
      'div',
      {
        class: `tile ${kind}`,
        role: 'group',
        'data-testid': 'tile',
        'data-identity': participant.identity,
        'data-kind': kind,
        'data-local': participant.isLocal,
      },
      this.#initials,
      this.#video,
      this.#paused,
      h('div', { class: 'tile-plate' }, this.#muted, this.#name, this.#quality),
    );
  }

  get isLocal(): boolean {
    return this.participant.isLocal;
  }

  get kind(): TileKind {
    return this.#kind;
  }

  /** Draws what the room knows about the person now. */
  update(name: string): void {
    const source = this.#kind === 'person' ? Track.Source.Camera : Track.Source.ScreenShare;
    const publication = this.participant.getTrackPublication(source);
    const track = publication?.isMuted === false ? (publication.videoTrack ?? null) : null;
    this.#show(track);
    setText(this.#name, this.#caption(name));
    setText(this.#initials, initialsOf(name));
    const muted = this.#kind === 'person' && !this.participant.isMicrophoneEnabled;
    this.#muted.hidden = !muted;
    const speaking = this.#kind === 'person' && this.participant.isSpeaking;
    this.element.classList.toggle('speaking', speaking);
    const quality = this.#showQuality();
    const paused = track?.streamState === Track.StreamState.Paused;
    this.#paused.hidden = !paused;
    const description = [
      this.#caption(name),
      muted ? text.tile.muted : null,
      speaking ? text.tile.speaking : null,
      quality,
      paused ? text.tile.paused : null,
    ];
    setAttribute(
      this.element,
      'aria-label',
      description.filter((part) => part !== null).join(', '),
    );
  }

  /** Cuts the picture to the tile, or shows it whole, whichever its shape asks for. */
  fit(): void {
    const { videoWidth, videoHeight } = this.#video;
    const { clientWidth, clientHeight } = this.element;
    if (videoHeight === 0 || clientHeight === 0) return;
    const cut = chooseFit(videoWidth / videoHeight, clientWidth / clientHeight) === 'cover';
    this.#video.classList.toggle('cover', cut && this.#kind === 'person');
  }

  remove(): void {
    this.#show(null);
    this.element.remove();
  }

  #show(track: VideoTrack | null): void {
    if (track === this.#track) return;
    this.#track?.detach(this.#video);
    this.#track = track;
    this.#video.hidden = track === null;
    if (track === null) return;
    track.attach(this.#video);
    if (!this.isLocal) this.#noteFirstFrame();
  }

  #noteFirstFrame(): void {
    const note = (): void => this.#clock.mark('firstRemoteVideoMs');
    if ('requestVideoFrameCallback' in this.#video) this.#video.requestVideoFrameCallback(note);
    else (this.#video as HTMLVideoElement).addEventListener('loadeddata', note, { once: true });
  }

  #caption(name: string): string {
    if (this.#kind === 'person') return this.isLocal ? text.call.youNamed(name) : name;
    return this.isLocal ? text.call.yourScreen : text.call.screenOf(name);
  }

  #showQuality(): string | null {
    const words = this.#kind === 'person' ? qualityWords(this.participant.connectionQuality) : null;
    this.#quality.hidden = words === null;
    if (words === null) return null;
    setText(this.#qualityWords, words);
    const bars = QUALITY_ICONS[this.participant.connectionQuality];
    setIcon(this.#quality, bars);
    this.#quality.classList.toggle('bad', bars !== 'bars_strong');
    return words;
  }
}

function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined];
  return letters
    .map((word) => [...(word ?? '')][0] ?? '')
    .join('')
    .toUpperCase();
}

const QUALITY_ICONS: Record<ConnectionQuality, IconName> = {
  [ConnectionQuality.Excellent]: 'bars_strong',
  [ConnectionQuality.Good]: 'bars_strong',
  [ConnectionQuality.Poor]: 'bars_weak',
  [ConnectionQuality.Lost]: 'alert',
  [ConnectionQuality.Unknown]: 'bars_weak',
};
