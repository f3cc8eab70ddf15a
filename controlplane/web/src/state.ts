/** Where the page is, as one pure state machine. Views draw a state; events are the only way on. */
import type { Invitation, Role } from './api';
import type { FailureCode } from './failures';

/** How the call's connection stands. `resuming`: signalling is away, media flows on. */
export type CallConnection = 'live' | 'resuming' | 'restarting';

export type State =
  | { readonly at: 'opening' }
  | { readonly at: 'ready'; readonly invitation: Invitation }
  | { readonly at: 'joining'; readonly from: 'link' | 'session' }
  | { readonly at: 'waiting_room' }
  | { readonly at: 'in_call'; readonly connection: CallConnection }
  | { readonly at: 'left' }
  | { readonly at: 'failed'; readonly code: FailureCode };

export type Event =
  | { readonly type: 'link_found'; readonly invitation: Invitation }
  | { readonly type: 'join'; readonly from: 'link' | 'session' }
  | { readonly type: 'must_wait' }
  | { readonly type: 'admitted' }
  | { readonly type: 'connected' }
  | { readonly type: 'resuming' }
  | { readonly type: 'restarting' }
  | { readonly type: 'left' }
  | { readonly type: 'open' }
  | { readonly type: 'failed'; readonly code: FailureCode };

/** The state of a page that has just loaded. */
export const INITIAL: State = { at: 'opening' };

/** The state after `event`; the same object when the event means nothing in this state. */
export function next(state: State, event: Event): State {
  switch (event.type) {
    case 'open':
      return state.at === 'failed' ? INITIAL : state;
    case 'link_found':
      return state.at === 'opening' ? { at: 'ready', invitation: event.invitation } : state;
    case 'join':
      return state.at === 'in_call' || state.at === 'joining' || state.at === 'waiting_room'
        ? state
        : { at: 'joining', from: event.from };
    case 'must_wait':
      return state.at === 'joining' ? { at: 'waiting_room' } : state;
    case 'admitted':
      return state.at === 'waiting_room' ? { at: 'joining', from: 'session' } : state;
    case 'connected':
      return inRoom(state) ? { at: 'in_call', connection: 'live' } : state;
    case 'resuming':
      return state.at === 'in_call' ? { at: 'in_call', connection: 'resuming' } : state;
    case 'restarting':
      return state.at === 'in_call' ? { at: 'in_call', connection: 'restarting' } : state;
    case 'left':
      return inRoom(state) || state.at === 'opening' ? { at: 'left' } : state;
    case 'failed':
      return { at: 'failed', code: event.code };
  }
}

function inRoom(state: State): boolean {
  return state.at === 'joining' || state.at === 'in_call';
}

/** What a freshly loaded page should do, from what it can know without asking anyone. */
export type Opening = 'look_up_link' | 'look_up_consult' | 'return_to_call' | 'show_left' | 'no_link';

/**
 * Chooses how a page begins. A link always wins: it was clicked just now. Without one, the tab's
 * own memory says whether this is a reload during a call, or after leaving it.
 */
export function openingOf(
  link: string | null,
  consult: string | null,
  memory: TabMemory,
): Opening {
  if (link !== null) return 'look_up_link';
  if (consult !== null && memory !== 'in_call') return 'look_up_consult';
  if (memory === 'in_call') return 'return_to_call';
  if (memory === 'left') return 'show_left';
  return 'no_link';
}

/** What the tab remembers across reloads; see `tab-memory.ts`. */
export type TabMemory = 'in_call' | 'left' | null;

/** The word for somebody without a name. */
export function nameOr(name: string | undefined, role: Role | null, words: Unnamed): string {
  const trimmed = name?.trim() ?? '';
  if (trimmed !== '') return trimmed;
  return role === null ? words.other : words[role];
}

interface Unnamed {
  readonly patient: string;
  readonly clinician: string;
  readonly other: string;
}
