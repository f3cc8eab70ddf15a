/** The call: who is there, what they say, and the controls. */
import type { ChatLog } from '../chat-log';
import type { Consult } from '../consult';
import { h, onClick, setAttribute, setText } from '../dom';
import type { FailureCode } from '../failures';
import { icon, setIcon, type IconName } from '../icons';
import { shortcutOf, type Shortcut } from '../shortcuts';
import type { CallConnection } from '../state';
import { text } from '../strings';
import { recallShortcutsOn } from '../tab-memory';
import type { Clock } from '../timings';
import { ChatPanel } from './chat-panel';
import { openDevices, openHelp } from './dialogs';
import { failureNotice } from './failure';
import { Stage } from './stage';

interface Control {
  readonly button: HTMLButtonElement;
  readonly words: HTMLElement;
}

export class CallView {
  readonly element: HTMLElement;
  readonly #consult: Consult;
  readonly #chatLog: ChatLog;
  readonly #stage: Stage;
  readonly #chat: ChatPanel;
  readonly #microphone = control('mic-toggle', 'microphone');
  readonly #camera = control('camera-toggle', 'camera');
  readonly #share = control('share-toggle', 'screen');
  readonly #chatToggle = control('chat-toggle', 'chat');
  readonly #devices = control('devices', 'devices');
  readonly #help = control('help', 'help');
  readonly #leave = control('leave', 'leave');
  readonly #unread = h('span', { class: 'unread', 'aria-hidden': 'true', hidden: true });
  readonly #banner = h('p', { class: 'banner', role: 'status', hidden: true });
  readonly #emergency = h(
    'p',
    { class: 'banner', role: 'status', 'data-testid': 'emergency', hidden: true },
    text.call.emergency,
  );
  readonly #recording = h(
    'p',
    { class: 'recording', 'data-testid': 'recording', hidden: true },
    icon('record'),
    text.call.recording,
  );
  readonly #sound = h(
    'button',
    { type: 'button', class: 'button primary sound', 'data-testid': 'sound-on', hidden: true },
    text.call.soundOn,
  );
  readonly #notices = h('div', { class: 'notices' });
  readonly #keys = (event: KeyboardEvent): void => this.#pressed(event);
  #refreshDevices: () => void = () => undefined;
  #updateQueued = false;

  /** `overlay` stands above the call: who waits. */
  constructor(
    consult: Consult,
    chatLog: ChatLog,
    clock: Clock,
    roomLabel: string,
    overlay: HTMLElement | null,
  ) {
    this.#consult = consult;
    this.#chatLog = chatLog;
    this.#stage = new Stage(consult, clock);
    this.#chat = new ChatPanel(chatLog, {
      send: (body) => consult.sendChat(body),
      close: () => this.#setChatOpen(false),
    });
    this.element = this.#compose(roomLabel, overlay);
    this.#listen();
    this.update();
  }

  /** Draws the room's state. Many changes at once are drawn together. */
  update(): void {
    if (this.#updateQueued) return;
    this.#updateQueued = true;
    queueMicrotask(() => {
      this.#updateQueued = false;
      this.#draw();
    });
  }

  /** Shows or hides the banner that says how the connection stands. */
  showConnection(connection: CallConnection): void {
    const live = connection === 'live';
    this.#banner.hidden = live;
    setAttribute(this.#banner, 'data-testid', live ? null : 'reconnecting');
    setText(this.#banner, live ? '' : text.call[connection]);
  }

  /** Shows a failure that does not end the call. A newer one takes the place of an older one. */
  showProblem(code: FailureCode): void {
    const dismiss = { label: text.dismiss, press: () => this.#notices.replaceChildren() };
    this.#notices.replaceChildren(failureNotice(code, dismiss));
  }

  chatChanged(): void {
    if (this.#chatLog.open) this.#chat.update();
    this.#drawChatToggle();
  }

  dispose(): void {
    document.removeEventListener('keydown', this.#keys);
    this.#stage.dispose();
    this.#chatLog.setOpen(false);
    for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  }

  #compose(roomLabel: string, overlay: HTMLElement | null): HTMLElement {
    setText(this.#devices.words, text.call.settings);
    setAttribute(this.#devices.button, 'aria-label', text.call.settingsLabel);
    setText(this.#help.words, text.call.help);
    setAttribute(this.#help.button, 'aria-label', text.call.helpLabel);
    setText(this.#leave.words, text.call.leave);
    setAttribute(this.#leave.button, 'aria-label', text.call.leaveLabel);
    this.#leave.button.classList.add('danger');
    this.#chatToggle.button.append(this.#unread);
    const heading = roomLabel === '' ? text.call.headingPlain : text.call.heading(roomLabel);
    return h(
      'main',
      { class: 'call' },
      h(
        'header',
        { class: 'call-head' },
        h('h1', { tabindex: -1 }, heading),
        this.#recording,
        this.#help.button,
      ),
      h(
        'div',
        { class: 'call-overlays' },
        overlay,
        this.#emergency,
        this.#banner,
        this.#sound,
        this.#notices,
      ),
      h('div', { class: 'call-body' }, this.#stage.element, this.#chat.element),
      h(
        'div',
        { class: 'controls', role: 'toolbar', 'aria-label': text.call.toolbar },
        this.#microphone.button,
        this.#camera.button,
        this.#consult.canShare && this.#share.button,
        this.#chatToggle.button,
        this.#devices.button,
        this.#leave.button,
      ),
    );
  }

  #listen(): void {
    onClick(this.#microphone.button, () => void this.#consult.toggle('microphone'));
    onClick(this.#camera.button, () => void this.#consult.toggle('camera'));
    onClick(this.#share.button, () => void this.#consult.toggleShare());
    onClick(this.#chatToggle.button, () => this.#setChatOpen(!this.#chatLog.open));
    onClick(this.#devices.button, () => this.#openDevices());
    onClick(this.#help.button, openHelp);
    onClick(this.#leave.button, () => this.#consult.leave());
    onClick(this.#sound, () => this.#consult.allowSound());
    document.addEventListener('keydown', this.#keys);
  }

  #draw(): void {
    this.#stage.update();
    const { microphoneOn, cameraOn, sharing } = this.#consult;
    drawToggle(this.#microphone, microphoneOn, MICROPHONE);
    drawToggle(this.#camera, cameraOn, CAMERA);
    drawToggle(this.#share, sharing, SHARE);
    this.#share.button.classList.toggle('active', sharing);
    this.#share.button.classList.remove('off');
    this.#drawChatToggle();
    this.#recording.hidden = !this.#consult.recording;
    this.#emergency.hidden = !this.#consult.emergency;
    this.#sound.hidden = !this.#consult.soundBlocked;
    this.#refreshDevices();
  }

  #drawChatToggle(): void {
    const { unread, open } = this.#chatLog;
    setText(this.#chatToggle.words, text.call.chat);
    setAttribute(this.#chatToggle.button, 'aria-label', text.call.chatLabel(unread));
    setAttribute(this.#chatToggle.button, 'aria-expanded', String(open));
    this.#chatToggle.button.classList.toggle('active', open);
    this.#unread.hidden = unread === 0;
    setText(this.#unread, unread > UNREAD_SHOWN_MAX ? `${UNREAD_SHOWN_MAX}+` : String(unread));
  }

  #setChatOpen(open: boolean): void {
    this.#chatLog.setOpen(open);
    this.#chat.setOpen(open);
    this.element.classList.toggle('chat-open', open);
    this.#drawChatToggle();
    if (!open) this.#chatToggle.button.focus();
  }

  #openDevices(): void {
    this.#refreshDevices = openDevices({
      activeId: (kind) => this.#consult.activeId(kind),
      switchTo: (kind, id) => void this.#consult.switchDevice(kind, id),
      microphoneTrack: () => this.#consult.microphoneTrack,
    });
  }

  #pressed(event: KeyboardEvent): void {
    if (event.key === 'Escape' && this.#chatLog.open && !document.querySelector('dialog[open]')) {
      this.#setChatOpen(false);
      return;
    }
    const target = event.target instanceof Element ? event.target : null;
    const typing =
      target?.closest('input, textarea, select, dialog') != null || !recallShortcutsOn();
    const { key, repeat, altKey, ctrlKey, metaKey } = event;
    const shortcut = shortcutOf({ key, repeat, altKey, ctrlKey, metaKey, typing });
    if (shortcut === null) return;
    event.preventDefault();
    this.#run(shortcut);
  }

  #run(shortcut: Shortcut): void {
    if (shortcut === 'help') openHelp();
    else if (shortcut === 'chat') this.#setChatOpen(!this.#chatLog.open);
    else void this.#consult.toggle(shortcut);
  }
}

function control(testId: string, iconName: IconName): Control {
  const words = h('span', { class: 'control-words' });
  const button = h(
    'button',
    { type: 'button', class: 'control', 'data-testid': testId },
    icon(iconName),
    words,
  );
  return { button, words };
}

interface ToggleLook {
  readonly on: { readonly icon: IconName; readonly words: string; readonly label: string };
  readonly off: { readonly icon: IconName; readonly words: string; readonly label: string };
}

/** Names what a press does, so that the name changes instead of a pressed state. */
function drawToggle({ button, words }: Control, on: boolean, look: ToggleLook): void {
  const shown = on ? look.on : look.off;
  setIcon(button, shown.icon);
  setText(words, shown.words);
  setAttribute(button, 'aria-label', shown.label);
  setAttribute(button, 'data-on', String(on));
  button.classList.toggle('off', !on);
}

const MICROPHONE: ToggleLook = {
  on: { icon: 'microphone', words: text.call.mute, label: text.call.muteLabel },
  off: { icon: 'microphone_off', words: text.call.unmute, label: text.call.unmuteLabel },
};
const CAMERA: ToggleLook = {
  on: { icon: 'camera', words: text.call.cameraOff, label: text.call.cameraOffLabel },
  off: { icon: 'camera_off', words: text.call.cameraOn, label: text.call.cameraOnLabel },
};
const SHARE: ToggleLook = {
  on: { icon: 'screen_off', words: text.call.stopShare, label: text.call.stopShareLabel },
  off: { icon: 'screen', words: text.call.share, label: text.call.shareLabel },
};

/** A badge has room for two digits. */
const UNREAD_SHOWN_MAX = 99;
