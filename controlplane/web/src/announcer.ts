/** Speaks to screen readers through two live regions that stay in the page for its whole life. */
import { h } from './dom';

export class Announcer {
  readonly #polite = h('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });
  readonly #urgent = h('div', { class: 'visually-hidden', role: 'alert' });

  mount(parent: Element): void {
    parent.append(this.#polite, this.#urgent);
  }

  /** Says something when the screen reader is free. */
  say(words: string): void {
    show(this.#polite, words);
  }

  /** Interrupts: for what changes what others see or hear, and for failures. */
  interrupt(words: string): void {
    show(this.#urgent, words);
  }
}

/** Lines are added, so that two messages in a row are both spoken, and removed once spoken. */
function show(region: HTMLElement, words: string): void {
  const line = h('p', {}, words);
  region.append(line);
  setTimeout(() => line.remove(), SPOKEN_AFTER_MS);
}

const SPOKEN_AFTER_MS = 6_000;
