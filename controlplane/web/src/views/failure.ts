/** The two ways in which a failure is shown: a screen of its own, and a notice beside other things. */
import { actionFor, type FailureCode } from '../failures';
import { h, onClick } from '../dom';
import { icon } from '../icons';
import { text } from '../strings';

export interface FailureActions {
  retry(): void;
  rejoin(): void;
}

/** The whole screen for a failure that leaves nothing else to do. */
export function failureScreen(code: FailureCode, actions: FailureActions): HTMLElement {
  const words = text.failures[code];
  const action = actionFor(code);
  const button =
    action === 'none'
      ? null
      : h(
          'button',
          { type: 'button', class: 'button primary', 'data-testid': `failure-${action}` },
          action === 'retry' ? text.retry : text.rejoin,
        );
  if (button !== null)
    onClick(button, () => (action === 'retry' ? actions.retry() : actions.rejoin()));
  return h(
    'main',
    { class: 'screen narrow' },
    h(
      'section',
      { class: 'card failure', 'data-testid': 'error-panel', 'data-code': code },
      h('div', { class: 'badge' }, icon('alert')),
      h('h1', { tabindex: -1 }, words.title),
      h('p', {}, words.detail),
      steps(words.steps),
      button,
      h('p', { class: 'support-code' }, text.supportCode(code)),
    ),
  );
}

/** A notice for a failure beside which the rest of the screen goes on working. */
export function failureNotice(
  code: FailureCode,
  button: { readonly label: string; readonly press: () => void },
): HTMLElement {
  const words = text.failures[code];
  const press = h('button', { type: 'button', class: 'button small' }, button.label);
  onClick(press, button.press);
  return h(
    'section',
    { class: 'notice', role: 'alert', 'data-testid': 'error-panel', 'data-code': code },
    icon('alert'),
    h(
      'div',
      { class: 'notice-body' },
      h('h2', {}, words.title),
      h('p', {}, words.detail),
      steps(words.steps),
      press,
    ),
  );
}

function steps(lines: readonly string[]): HTMLElement {
  return h('ul', { class: 'steps' }, ...lines.map((line) => h('li', {}, line)));
}
