/** The screens with nothing but words: waiting, and having left. */
import { h, onClick } from '../dom';
import { text } from '../strings';

export function waitingScreen(words: string): HTMLElement {
  return h(
    'main',
    { class: 'screen narrow centered' },
    h('div', { class: 'spinner', 'aria-hidden': 'true' }),
    h('h1', { class: 'quiet', tabindex: -1, 'data-testid': 'waiting' }, words),
  );
}

export function leftScreen(rejoin: () => void): HTMLElement {
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
    ),
  );
}
