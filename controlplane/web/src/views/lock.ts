/** What covers the page while the session is locked. */
import { h, uniqueId } from '../dom';
import { icon } from '../icons';
import { text } from '../strings';

export class LockCover {
  readonly #dialog: HTMLDialogElement;
  readonly #focused = document.activeElement;
  readonly #title = document.title;

  /** Modal, so that nothing behind it can be read, reached or used, by screen readers too. */
  constructor(inCall: boolean) {
    const heading = h('h1', { id: uniqueId('lock'), tabindex: -1 }, text.lock.title);
    const unlock = h(
      'a',
      {
        class: 'button primary',
        href: '/login?for=unlock',
        target: '_blank',
        rel: 'opener',
        'data-testid': 'unlock',
      },
      text.lock.unlock,
    );
    this.#dialog = h(
      'dialog',
      { class: 'lock', closedby: 'none', 'aria-labelledby': heading.id, 'data-testid': 'lock' },
      h(
        'section',
        { class: 'card' },
        h('div', { class: 'badge' }, icon('alert')),
        heading,
        h('p', {}, text.lock.detail),
        inCall && h('p', { 'data-testid': 'lock-call' }, text.lock.callGoesOn),
        unlock,
      ),
    );
    // Esc must not uncover what is locked. Browsers close a dialog on the second Esc whatever
    // `cancel` says; those that know `closedby` do not, the others never see the key.
    addEventListener('keydown', swallowEscape, { capture: true });
    this.#dialog.addEventListener('cancel', (event) => event.preventDefault());
    this.#dialog.addEventListener('close', () => {
      if (this.#dialog.isConnected) this.#dialog.showModal();
    });
    document.body.classList.add('locked');
    for (const dialog of document.querySelectorAll('dialog[open]')) (dialog as HTMLDialogElement).close();
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    document.title = `${text.lock.title} – ${text.title}`;
    heading.focus();
  }

  remove(): void {
    removeEventListener('keydown', swallowEscape, { capture: true });
    document.body.classList.remove('locked');
    this.#dialog.remove();
    document.title = this.#title;
    if (this.#focused instanceof HTMLElement) this.#focused.focus();
  }
}

function swallowEscape(event: KeyboardEvent): void {
  if (event.key === 'Escape') event.preventDefault();
}
