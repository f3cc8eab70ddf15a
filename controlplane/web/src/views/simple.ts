/** The screens with nothing but words: waiting, and having left. */
import { h, onClick } from '../dom';
import { text } from '../strings';

/** `hint` prepares for what the browser may ask meanwhile; empty when it will ask nothing. */
export function waitingScreen(words: string, hint: string): HTMLElement {
  return h(
    'main',
    { class: 'screen narrow centered' },
    h('div', { class: 'spinner', 'aria-hidden': 'true' }),
    h('h1', { class: 'quiet', tabindex: -1, 'data-testid': 'waiting' }, words),
    hint === '' ? null : h('p', { class: 'hint' }, hint),
  );
}

/** `clinician`: there is a page of consults to go back to. */
export function leftScreen(rejoin: () => void, clinician: boolean): HTMLElement {
  const button = h(
    'button',
    { type: 'button', class: 'button primary', 'data-testid': 'rejoin' },
    text.left.rejoin,
  );
  onClick(button, rejoin);
  return h(
    'main',
    { class: 'screen narrow' },
    h(
      'section',
      { class: 'card', 'data-testid': 'left' },
      h('h1', { tabindex: -1 }, text.left.title),
      h('p', {}, text.left.detail),
      button,
      clinician && h('a', { class: 'button', href: '/clinic' }, text.left.toConsults),
    ),
  );
}
