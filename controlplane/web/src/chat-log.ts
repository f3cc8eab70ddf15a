/** The chat's memory: bounded, in order of arrival, with a count of what nobody has seen yet. */
import { CHAT_LENGTH_MAX, CHAT_MESSAGES_MAX } from './limits';

export interface ChatMessage {
  /** Stream id; a message that arrives twice (after a reconnect) is kept once. */
  readonly id: string;
  readonly from: string;
  readonly own: boolean;
  readonly body: string;
  /** Milliseconds since the Unix epoch, by the sender's clock. */
  readonly sentAtMs: number;
}

export class ChatLog {
  #messages: ChatMessage[] = [];
  #unread = 0;
  #open = false;

  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /** Messages of others that arrived while the chat was closed. */
  get unread(): number {
    return this.#unread;
  }

  get open(): boolean {
    return this.#open;
  }

  setOpen(open: boolean): void {
    this.#open = open;
    if (open) this.#unread = 0;
  }

  /** Adds a message; says whether it is new and holds anything. */
  add(message: ChatMessage): boolean {
    const body = message.body.trim().slice(0, CHAT_LENGTH_MAX);
    if (body === '' || this.#messages.some((known) => known.id === message.id)) return false;
    this.#messages.push({ ...message, body });
    if (this.#messages.length > CHAT_MESSAGES_MAX) this.#messages.shift();
    if (!this.#open && !message.own) this.#unread += 1;
    return true;
  }

  clear(): void {
    this.#messages = [];
    this.#unread = 0;
  }
}
