/** The chat: a log that a screen reader follows while it is open, and a field to write in. */
import type { ChatLog, ChatMessage } from '../chat-log';
import { h, onClick, setText, uniqueId } from '../dom';
import { icon } from '../icons';
import { CHAT_LENGTH_MAX } from '../limits';
import { text } from '../strings';

export interface ChatActions {
  /** Sends; says whether the message went out. */
  send(body: string): Promise<boolean>;
  close(): void;
}

export class ChatPanel {
  readonly element: HTMLElement;
  readonly #log: ChatLog;
  readonly #actions: ChatActions;
  readonly #list = h('ol', { class: 'chat-list' });
  readonly #scroll = h(
    'div',
    { class: 'chat-scroll', role: 'log', 'aria-label': text.chat.label, tabindex: 0 },
    this.#list,
  );
  readonly #empty = h('p', { class: 'chat-empty' }, text.chat.empty);
  readonly #error = h('p', { class: 'field-error', role: 'alert' });
  readonly #input = h('textarea', {
    id: uniqueId('chat'),
    rows: 1,
    maxlength: CHAT_LENGTH_MAX,
    placeholder: text.chat.placeholder,
    'aria-label': text.chat.input,
    'data-testid': 'chat-input',
  });
  #drawn = new Map<ChatMessage, HTMLElement>();

  constructor(log: ChatLog, actions: ChatActions) {
    this.#log = log;
    this.#actions = actions;
    const close = h(
      'button',
      {
        type: 'button',
        class: 'round plain',
        'aria-label': text.chat.close,
        'data-testid': 'chat-close',
      },
      icon('close'),
    );
    onClick(close, () => actions.close());
    const send = h(
      'button',
      {
        type: 'submit',
        class: 'round primary',
        'aria-label': text.chat.send,
        'data-testid': 'chat-send',
      },
      icon('send'),
    );
    const form = h('form', { class: 'chat-form' }, this.#input, send);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.#input.addEventListener('keydown', (event) => {
      // Enter sends, Shift+Enter makes a line; during composition Enter picks a character.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#send();
    });
    this.element = h(
      'aside',
      { class: 'chat', 'aria-label': text.chat.title, hidden: true },
      h('header', { class: 'chat-head' }, h('h2', {}, text.chat.title), close),
      this.#empty,
      this.#scroll,
      this.#error,
      form,
    );
  }

  setOpen(open: boolean): void {
    this.element.hidden = !open;
    if (!open) return;
    this.update();
    this.#input.focus();
  }

  update(): void {
    const { messages } = this.#log;
    this.#empty.hidden = messages.length > 0;
    for (const [message, line] of this.#drawn) {
      if (messages.includes(message)) continue;
      line.remove();
      this.#drawn.delete(message);
    }
    for (const message of messages) {
      if (this.#drawn.has(message)) continue;
      const line = messageLine(message);
      this.#drawn.set(message, line);
      this.#list.append(line);
    }
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  async #send(): Promise<void> {
    const body = this.#input.value.trim();
    if (body === '') return;
    this.#input.value = '';
    setText(this.#error, '');
    if (await this.#actions.send(body)) return;
    setText(this.#error, text.chat.failed);
    if (this.#input.value === '') this.#input.value = body;
  }
}

function messageLine(message: ChatMessage): HTMLElement {
  const sentAt = new Date(message.sentAtMs);
  const time = Number.isNaN(sentAt.getTime()) ? null : TIME.format(sentAt);
  return h(
    'li',
    { class: message.own ? 'message own' : 'message', 'data-testid': 'chat-message' },
    h('p', { class: 'message-head' }, h('b', {}, message.from), time === null ? null : ` ${time}`),
    h('p', { class: 'message-body' }, message.body),
  );
}

const TIME = new Intl.DateTimeFormat(text.language, { hour: '2-digit', minute: '2-digit' });
