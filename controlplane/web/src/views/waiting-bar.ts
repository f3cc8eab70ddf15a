/** Who waits to be let in, above the call: seen, read aloud, and heard. */
import type { Guest } from '../clinic-api';
import { h, onClick } from '../dom';
import { playTestSound } from '../sound';
import { text } from '../strings';
import { WaitingList } from '../waiting';

export class WaitingBar {
  readonly element = h('div', { class: 'waiting-bar', role: 'status', hidden: true });
  readonly #list: WaitingList;
  #known: ReadonlySet<string> = new Set();

  constructor(room: string | null) {
    this.#list = new WaitingList(room, (guests) => this.#show(guests));
  }

  dispose(): void {
    this.#list.stop();
  }

  #show(guests: readonly Guest[]): void {
    const identities = new Set(guests.map(({ identity }) => identity));
    const arrived = [...identities].some((identity) => !this.#known.has(identity));
    const same = !arrived && identities.size === this.#known.size;
    this.#known = identities;
    if (same) return;
    this.element.hidden = guests.length === 0;
    this.element.replaceChildren(...guests.map((guest) => this.#guest(guest)));
    // A browser that plays nothing yet still shows the words.
    if (arrived) playTestSound(null).catch(() => undefined);
  }

  #guest({ identity, name }: Guest): HTMLElement {
    const words = text.clinic.waits(name === '' ? text.call.unnamed.patient : name);
    const admit = h(
      'button',
      { type: 'button', class: 'button primary', 'data-testid': 'admit' },
      text.clinic.admit,
    );
    const turnAway = h(
      'button',
      { type: 'button', class: 'button', 'data-testid': 'turn-away' },
      text.clinic.turnAway,
    );
    const decide = (letIn: boolean): void => {
      admit.disabled = turnAway.disabled = true;
      this.#list.decide(identity, letIn).catch(() => {
        admit.disabled = turnAway.disabled = false;
      });
    };
    onClick(admit, () => decide(true));
    onClick(turnAway, () => decide(false));
    return h('p', { class: 'waiting-guest', 'data-testid': 'guest' }, words, admit, turnAway);
  }
}
