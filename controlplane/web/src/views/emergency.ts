/** Where a clinician enters a consult in an emergency, without an invitation. */
import { EMERGENCY_REASONS, type Emergency } from '../clinic-api';
import { h, uniqueId } from '../dom';
import { LABEL_LENGTH_MAX, REASON_LENGTH_MAX } from '../limits';
import { text } from '../strings';

/** Folded up until it is needed, so that nobody takes it for the usual way in. */
export class EmergencyForm {
  readonly element: HTMLElement;
  readonly #factors = h(
    'p',
    { role: 'alert', hidden: true, 'data-testid': 'emergency-factors' },
    `${text.emergency.factors} `,
    // A window of its own, so that what was typed stays; it closes itself.
    h('a', { href: '/login?for=step_up', target: '_blank' }, text.emergency.logInAgain),
  );

  constructor(enter: (emergency: Emergency) => void) {
    const room = h('input', {
      type: 'text',
      required: true,
      maxlength: LABEL_LENGTH_MAX,
      autocomplete: 'off',
      'data-testid': 'emergency-room',
    });
    const reason = h(
      'select',
      { required: true, 'data-testid': 'emergency-reason' },
      h('option', { value: '' }, text.emergency.choose),
      ...EMERGENCY_REASONS.map((code) => h('option', { value: code }, text.emergency.reasons[code])),
    );
    const words = h('textarea', {
      required: true,
      maxlength: REASON_LENGTH_MAX,
      rows: 3,
      'data-testid': 'emergency-words',
    });
    const form = h(
      'form',
      { class: 'emergency-form' },
      h('p', { 'data-testid': 'emergency-notice' }, text.emergency.notice),
      field(text.emergency.room, room, text.emergency.roomHint),
      field(text.emergency.reason, reason),
      field(text.emergency.words, words, text.emergency.wordsHint),
      this.#factors,
      h(
        'button',
        { type: 'submit', class: 'button', 'data-testid': 'emergency-enter' },
        text.emergency.enter,
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const code = EMERGENCY_REASONS.find((known) => known === reason.value);
      if (code === undefined) return;
      enter({ room: room.value.trim(), reason: code, words: words.value.trim() });
    });
    this.element = h(
      'details',
      { class: 'card', 'data-testid': 'emergency-form' },
      h('summary', {}, text.emergency.title),
      form,
    );
  }

  /** Says that both factors have to be shown again first, or no longer says it. */
  askForFactors(needed: boolean): void {
    this.#factors.hidden = !needed;
  }
}

function field(
  label: string,
  control: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement,
  hint?: string,
): HTMLElement {
  const id = uniqueId('emergency');
  control.id = id;
  if (hint !== undefined) control.setAttribute('aria-describedby', `${id}-hint`);
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    control,
    hint === undefined ? null : h('p', { class: 'hint', id: `${id}-hint` }, hint),
  );
}
