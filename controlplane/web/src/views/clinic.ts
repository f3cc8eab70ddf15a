/** A clinician's consults: open one, invite, see who waits, join. */
import type { Consultation, Emergency, Guest, Link } from '../clinic-api';
import { h, onClick, setText, uniqueId } from '../dom';
import { LABEL_LENGTH_MAX } from '../limits';
import { text } from '../strings';
import { EmergencyForm } from './emergency';

export interface ClinicActions {
  open(label: string): void;
  invite(room: string): void;
  join(room: string): void;
  enterInEmergency(emergency: Emergency): void;
  end(room: string): void;
  decide(room: string, identity: string, admit: boolean): void;
  lock(): void;
  logOut(): void;
}

export class ClinicView {
  readonly element: HTMLElement;
  readonly #actions: ClinicActions;
  readonly #list = h('ul', { class: 'consults', 'data-testid': 'consults' });
  readonly #empty = h('p', { class: 'hint' }, text.clinic.none);
  readonly #status = h('p', { role: 'status', class: 'outcome', 'data-testid': 'clinic-status' });
  readonly #rows = new Map<string, ConsultRow>();
  readonly #emergency: EmergencyForm;

  constructor(actions: ClinicActions) {
    this.#actions = actions;
    this.#emergency = new EmergencyForm((emergency) => actions.enterInEmergency(emergency));
    this.element = h(
      'main',
      { class: 'screen clinic' },
      this.#head(),
      this.#openForm(),
      this.#status,
      h(
        'section',
        { 'aria-labelledby': 'consults-heading' },
        h('h2', { id: 'consults-heading' }, text.clinic.consults),
        this.#empty,
        this.#list,
      ),
      this.#emergency.element,
    );
  }

  /** Draws the list as it is now, keeping the rows and the focus in them. */
  show(consults: readonly Consultation[]): void {
    this.#empty.hidden = consults.length > 0;
    const rooms = new Set(consults.map((consult) => consult.room));
    for (const [room, row] of this.#rows) {
      if (rooms.has(room)) continue;
      row.element.remove();
      this.#rows.delete(room);
    }
    for (const consult of consults) {
      let row = this.#rows.get(consult.room);
      if (row === undefined) {
        row = new ConsultRow(consult, this.#actions);
        this.#rows.set(consult.room, row);
        this.#list.append(row.element);
      }
      row.show(consult);
    }
  }

  showWaiting(room: string, guests: readonly Guest[]): void {
    this.#rows.get(room)?.showWaiting(guests);
  }

  showLink(room: string, link: Link): void {
    this.#rows.get(room)?.showLink(link);
  }

  askForFactors(needed: boolean): void {
    this.#emergency.askForFactors(needed);
  }

  say(words: string): void {
    setText(this.#status, words);
  }

  #head(): HTMLElement {
    const lock = button(text.clinic.lock, 'lock-now', () => this.#actions.lock());
    const out = button(text.clinic.logOut, 'log-out', () => this.#actions.logOut());
    return h(
      'header',
      { class: 'clinic-head' },
      h('h1', { tabindex: -1 }, text.clinic.title),
      h('div', { class: 'row' }, lock, out),
    );
  }

  #openForm(): HTMLElement {
    const id = uniqueId('label');
    const label = h('input', {
      id,
      type: 'text',
      maxlength: LABEL_LENGTH_MAX,
      autocomplete: 'off',
      'data-testid': 'consult-label',
      'aria-describedby': `${id}-hint`,
    });
    const form = h(
      'form',
      { class: 'card' },
      h('h2', {}, text.clinic.openTitle),
      h(
        'div',
        { class: 'field' },
        h('label', { for: id }, text.clinic.label),
        label,
        h('p', { class: 'hint', id: `${id}-hint` }, text.clinic.labelHint),
      ),
      h(
        'button',
        { type: 'submit', class: 'button primary', 'data-testid': 'consult-open' },
        text.clinic.open,
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#actions.open(label.value.trim());
      label.value = '';
    });
    return form;
  }
}

class ConsultRow {
  readonly element: HTMLElement;
  readonly #room: string;
  readonly #actions: ClinicActions;
  readonly #people = h('p', { class: 'hint' });
  readonly #waiting = h('ul', { class: 'guests', 'aria-live': 'polite' });
  readonly #link = h('div', { class: 'field', hidden: true });
  #waitingShown = '';

  constructor(consult: Consultation, actions: ClinicActions) {
    const { room } = consult;
    this.#room = room;
    this.#actions = actions;
    const name = consult.label === '' ? text.clinic.unnamed : consult.label;
    const at = new Date(consult.opened_at * 1000).toLocaleTimeString(text.language, {
      hour: '2-digit',
      minute: '2-digit',
    });
    const join = button(text.clinic.join, 'consult-join', () => actions.join(room), name);
    join.classList.add('primary');
    this.element = h(
      'li',
      { class: 'card consult-row', 'data-testid': 'consult', 'data-room': room },
      h('h3', {}, `${name}, ${at}`),
      this.#people,
      this.#waiting,
      this.#link,
      h(
        'div',
        { class: 'row' },
        join,
        button(text.clinic.invite, 'consult-invite', () => actions.invite(room), name),
        button(text.clinic.end, 'consult-end', () => actions.end(room), name),
      ),
    );
  }

  show(consult: Consultation): void {
    setText(this.#people, text.clinic.people(consult.participants));
  }

  showWaiting(guests: readonly Guest[]): void {
    // Redrawn only on a change, so that a button does not vanish under a finger.
    const shown = JSON.stringify(guests.map((guest) => guest.identity));
    if (shown === this.#waitingShown) return;
    this.#waitingShown = shown;
    this.#waiting.replaceChildren(...guests.map((guest) => this.#guest(guest)));
  }

  showLink(link: Link): void {
    const id = uniqueId('link');
    const field = h('input', {
      id,
      type: 'text',
      readonly: true,
      value: link.link,
      'data-testid': 'invitation',
    });
    const copied = h('p', { class: 'hint', role: 'status' }, text.clinic.linkOnce);
    const copy = button(text.clinic.copy, 'invitation-copy', () => {
      field.select();
      navigator.clipboard.writeText(link.link).then(
        () => setText(copied, text.clinic.copied),
        () => setText(copied, text.clinic.copyByHand),
      );
    });
    this.#link.hidden = false;
    this.#link.replaceChildren(
      h('label', { for: id }, text.clinic.link),
      h('div', { class: 'row' }, field, copy),
      copied,
    );
    field.focus();
    field.select();
  }

  #guest(guest: Guest): HTMLElement {
    const name = guest.name === '' ? text.call.unnamed.patient : guest.name;
    const decide = (admit: boolean) => this.#actions.decide(this.#room, guest.identity, admit);
    const admit = button(text.clinic.admit, 'guest-admit', () => decide(true), name);
    admit.classList.add('primary');
    return h(
      'li',
      { class: 'row', 'data-testid': 'guest' },
      h('span', {}, text.clinic.waits(name)),
      admit,
      button(text.clinic.turnAway, 'guest-turn-away', () => decide(false), name),
    );
  }
}

/** `whose` tells a screen reader which of several like buttons this is. */
function button(
  label: string,
  testId: string,
  press: () => void,
  whose?: string,
): HTMLButtonElement {
  const element = h(
    'button',
    { type: 'button', class: 'button', 'data-testid': testId },
    label,
    whose === undefined ? null : h('span', { class: 'visually-hidden' }, `: ${whose}`),
  );
  onClick(element, press);
  return element;
}
