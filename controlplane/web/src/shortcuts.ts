/** Single-key shortcuts of the call. */

export type Shortcut = 'microphone' | 'camera' | 'chat' | 'help';

/** The parts of a keyboard event that decide. */
export interface KeyPress {
  readonly key: string;
  readonly repeat: boolean;
  readonly altKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  /** Whether the focus is where letters are text or choices (inputs, selects, dialogs). */
  readonly typing: boolean;
}

/** The shortcut that a key press asks for, or `null`. Keys with modifiers belong to the browser. */
export function shortcutOf(press: KeyPress): Shortcut | null {
  if (press.typing || press.repeat || press.altKey || press.ctrlKey || press.metaKey) return null;
  switch (press.key.toLowerCase()) {
    case 'm':
      return 'microphone';
    case 'v':
      return 'camera';
    case 'c':
      return 'chat';
    case '?':
      return 'help';
    default:
      return null;
  }
}
