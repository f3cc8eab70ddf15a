/** The tiles of the call, kept in step with the room and laid out for the window. */
import { Track, type Participant } from 'livekit-client';
import type { Consult } from '../consult';
import { h, setAttribute, setText } from '../dom';
import { chooseLayout, type Layout } from '../layout';
import { TILES_MAX } from '../limits';
import { text } from '../strings';
import type { Clock } from '../timings';
import { Tile, tileKey, type TileKind } from './tile';

export class Stage {
  readonly element: HTMLElement;
  readonly #consult: Consult;
  readonly #clock: Clock;
  readonly #tiles = new Map<string, Tile>();
  readonly #screens = h('div', { class: 'screens' });
  readonly #people = h('div', { class: 'people' });
  readonly #more = h('p', { class: 'more', hidden: true });
  readonly #waiting = h(
    'div',
    { class: 'waiting', role: 'status' },
    h('p', { class: 'waiting-title' }, text.call.waitingTitle),
    h('p', {}, text.call.waiting),
  );
  readonly #resized = new ResizeObserver(() => this.#layOut());

  constructor(consult: Consult, clock: Clock) {
    this.#consult = consult;
    this.#clock = clock;
    this.element = h(
      'section',
      { class: 'stage', 'aria-label': text.call.people },
      this.#screens,
      this.#people,
      this.#waiting,
      this.#more,
    );
    this.#resized.observe(this.element);
  }

  update(): void {
    const everyone = this.#consult.people;
    const people = everyone.length > TILES_MAX ? mostHeard(everyone) : everyone;
    const wanted: [Participant, TileKind][] = [
      ...everyone.filter(sharesScreen).map((person): [Participant, TileKind] => [person, 'screen']),
      ...people.map((person): [Participant, TileKind] => [person, 'person']),
    ];
    const keys = new Set(wanted.map(([person, kind]) => tileKey(person, kind)));
    for (const [key, tile] of this.#tiles) {
      if (keys.has(key) && everyone.includes(tile.participant)) continue;
      tile.remove();
      this.#tiles.delete(key);
    }
    for (const [person, kind] of wanted) this.#place(person, kind);
    this.#waiting.hidden = everyone.length > 1;
    this.#more.hidden = people.length === everyone.length;
    setText(this.#more, text.call.more(everyone.length - people.length));
    this.#layOut();
  }

  dispose(): void {
    this.#resized.disconnect();
    for (const tile of this.#tiles.values()) tile.remove();
    this.#tiles.clear();
  }

  #place(person: Participant, kind: TileKind): void {
    const key = tileKey(person, kind);
    const tile = this.#tiles.get(key) ?? new Tile(person, kind, this.#clock);
    if (!this.#tiles.has(key)) {
      this.#tiles.set(key, tile);
      const parent = kind === 'screen' ? this.#screens : this.#people;
      // The self-view stays last, for the eye and for the tab order.
      const self = person.isLocal ? null : parent.querySelector('[data-local]');
      parent.insertBefore(tile.element, self);
    }
    tile.update(this.#consult.nameOf(person));
  }

  #layOut(): void {
    const kinds = [...this.#tiles.values()].map((tile) => tile.kind);
    const people = kinds.filter((kind) => kind === 'person').length;
    const layout = chooseLayout({
      people,
      screens: kinds.length - people,
      width: this.element.clientWidth,
      height: this.element.clientHeight,
      gap: GAP_PX,
    });
    applyLayout(this.element, layout);
    for (const tile of this.#tiles.values()) tile.fit();
  }
}

function applyLayout(element: HTMLElement, layout: Layout): void {
  setAttribute(element, 'data-layout', layout.kind);
  setAttribute(element, 'data-strip', layout.kind === 'stage' ? layout.strip : null);
  if (layout.kind !== 'grid') return;
  element.style.setProperty('--columns', String(layout.columns));
  element.style.setProperty('--tile-width', `${layout.tileWidth}px`);
  element.style.setProperty('--tile-height', `${layout.tileHeight}px`);
}

function sharesScreen(person: Participant): boolean {
  const publication = person.getTrackPublication(Track.Source.ScreenShare);
  return publication !== undefined && (person.isLocal || publication.isSubscribed);
}

/** Keeps those who spoke last, ourselves always, in the order that they had. */
function mostHeard(everyone: readonly Participant[]): Participant[] {
  const ranked = [...everyone].sort((a, b) => rank(b) - rank(a)).slice(0, TILES_MAX);
  return everyone.filter((person) => ranked.includes(person));
}

function rank(person: Participant): number {
  if (person.isLocal) return Number.POSITIVE_INFINITY;
  return person.lastSpokeAt?.getTime() ?? 0;
}

/** Equal to `--gap` in the style sheet. */
const GAP_PX = 8;
