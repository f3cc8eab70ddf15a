/** The screen before the call: see and hear yourself, say who you are, join. */
import type { Invitation } from '../api';
import { h, onClick, setAttribute, setText, uniqueId } from '../dom';
import type { DeviceKind } from '../failures';
import { setIcon } from '../icons';
import { NAME_LENGTH_MAX } from '../limits';
import type { LocalMedia } from '../media';
import { text } from '../strings';
import { DeviceFields } from './device-fields';
import { failureNotice } from './failure';

export interface PrejoinActions {
  join(displayName: string): void;
}

/** `explain`: the browser will ask, and has not yet. `asking`: its prompt is open. */
type Phase = 'explain' | 'asking' | 'asked';

export class PrejoinView {
  readonly element: HTMLElement;
  readonly #invitation: Invitation;
  readonly #media: LocalMedia;
  readonly #actions: PrejoinActions;
  readonly #video = h('video', {
    muted: true,
    autoplay: true,
    playsinline: true,
    class: 'mirrored',
  });
  readonly #placeholder = h('p', { class: 'preview-words' });
  readonly #toggles: ReadonlyMap<DeviceKind, HTMLButtonElement>;
  readonly #explanation: HTMLElement;
  readonly #withoutDevices: HTMLButtonElement;
  readonly #notices = h('div', { class: 'notices' });
  readonly #outcome = h('p', { class: 'outcome', id: uniqueId('outcome'), role: 'status' });
  readonly #name: HTMLInputElement | null;
  readonly #nameError = h('p', { class: 'field-error', id: uniqueId('name-error') });
  readonly #fields: DeviceFields;
  /** Hidden until the browser has been asked: before that it names no device. */
  readonly #devices: HTMLElement;
  #phase: Phase = 'explain';
  #shown: MediaStreamTrack | null = null;
  #problemsShown = '';

  constructor(invitation: Invitation, media: LocalMedia, actions: PrejoinActions) {
    this.#invitation = invitation;
    this.#media = media;
    this.#actions = actions;
    this.#name = invitation.display_name === null ? this.#nameInput() : null;
    this.#toggles = new Map([
      ['microphone', this.#toggle('microphone', 'mic-toggle')],
      ['camera', this.#toggle('camera', 'camera-toggle')],
    ]);
    this.#withoutDevices = h(
      'button',
      { type: 'button', class: 'button', 'data-testid': 'prejoin-join-without' },
      text.prejoin.joinWithoutDevices,
    );
    onClick(this.#withoutDevices, () => {
      media.want('camera', false);
      media.want('microphone', false);
      this.#submit();
    });
    this.#explanation = this.#explain();
    this.#fields = new DeviceFields({
      activeId: (kind) => media.activeId(kind),
      switchTo: (kind, id) => void media.switchTo(kind, id),
      microphoneTrack: () => media.microphone?.mediaStreamTrack ?? null,
    });
    this.#devices = h(
      'section',
      { class: 'card prejoin-devices' },
      h('h2', {}, text.prejoin.devices),
      this.#fields.element,
    );
    this.#video.muted = true;
    this.element = this.#compose();
  }

  /** Opens the devices. The browser's prompt, if it comes, has been explained on this screen. */
  async openDevices(): Promise<void> {
    this.#phase = 'asking';
    this.update();
    await this.#media.start();
    this.#phase = 'asked';
    this.update();
  }

  /** Draws what `LocalMedia` has now. */
  update(): void {
    this.#showPreview();
    for (const kind of this.#toggles.keys()) this.#showToggle(kind);
    this.#explanation.hidden = this.#phase === 'asked';
    this.#withoutDevices.hidden = this.#phase === 'asked';
    this.#devices.hidden = this.#phase !== 'asked';
    const asking = this.#phase === 'asking';
    this.#explanation.classList.toggle('asking', asking);
    this.#showProblems();
    setText(this.#outcome, this.#phase === 'asked' ? this.#outcomeWords() : '');
    void this.#fields.update();
  }

  dispose(): void {
    this.#fields.stop();
    this.#video.srcObject = null;
  }

  #compose(): HTMLElement {
    const { role, room_label: label, display_name: name } = this.#invitation;
    const lead = role === 'patient' ? text.prejoin.leadPatient : text.prejoin.leadClinician;
    const join = h(
      'button',
      {
        type: 'submit',
        class: 'button primary large',
        'data-testid': 'prejoin-join',
        'aria-describedby': this.#outcome.id,
      },
      text.prejoin.join,
    );
    const form = h(
      'form',
      { class: 'card join-form', novalidate: true },
      label === '' ? null : h('p', { class: 'room-label' }, text.prejoin.room(label)),
      name === null ? this.#nameField() : h('p', {}, text.prejoin.joiningAs(name)),
      join,
      this.#withoutDevices,
      this.#outcome,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#joinWithDevices();
    });
    return h(
      'main',
      { class: 'screen prejoin' },
      h(
        'header',
        { class: 'prejoin-head' },
        h('h1', { tabindex: -1 }, text.prejoin.title),
        h('p', {}, lead),
      ),
      h(
        'div',
        { class: 'prejoin-look' },
        h(
          'div',
          { class: 'preview', role: 'group', 'aria-label': text.prejoin.preview },
          this.#video,
          this.#placeholder,
          this.#explanation,
          h('div', { class: 'preview-controls' }, ...this.#toggles.values()),
        ),
        this.#notices,
      ),
      form,
      this.#devices,
    );
  }

  #explain(): HTMLElement {
    const button = h(
      'button',
      { type: 'button', class: 'button primary when-idle', 'data-testid': 'prejoin-ask' },
      text.prejoin.askButton,
    );
    onClick(button, () => void this.openDevices());
    return h(
      'div',
      { class: 'explanation' },
      h('h2', {}, text.prejoin.askTitle),
      h('p', { class: 'when-idle' }, text.prejoin.ask),
      button,
      h('p', { class: 'when-asking', role: 'status' }, text.prejoin.asking),
    );
  }

  #nameInput(): HTMLInputElement {
    return h('input', {
      id: uniqueId('name'),
      type: 'text',
      autocomplete: 'name',
      maxlength: NAME_LENGTH_MAX,
      required: true,
      'data-testid': 'name-input',
    });
  }

  #nameField(): HTMLElement {
    const input = this.#name!;
    const hint = h('span', { class: 'hint', id: uniqueId('name-hint') });
    const patient = this.#invitation.role === 'patient';
    setText(hint, patient ? text.prejoin.nameHintPatient : text.prejoin.nameHintClinician);
    setAttribute(input, 'aria-describedby', `${hint.id} ${this.#nameError.id}`);
    input.addEventListener('input', () => this.#setNameError(''));
    return h(
      'div',
      { class: 'field' },
      h('label', { for: input.id }, text.prejoin.name),
      hint,
      input,
      this.#nameError,
    );
  }

  #setNameError(words: string): void {
    setText(this.#nameError, words);
    setAttribute(this.#name!, 'aria-invalid', words === '' ? null : 'true');
  }

  #toggle(kind: DeviceKind, testId: string): HTMLButtonElement {
    const button = h('button', { type: 'button', class: 'round', 'data-testid': testId });
    onClick(button, () => {
      const on = this.#isOn(kind);
      if (this.#phase === 'asked') void this.#media.setOn(kind, !on);
      else this.#media.want(kind, !on);
      this.update();
    });
    return button;
  }

  /** Whether a device is wanted and has not failed; a press on one that failed tries it again. */
  #isOn(kind: DeviceKind): boolean {
    const { cameraOn, microphoneOn } = this.#media.choice;
    return (kind === 'camera' ? cameraOn : microphoneOn) && !this.#media.problems.has(kind);
  }

  #showToggle(kind: DeviceKind): void {
    const button = this.#toggles.get(kind)!;
    const on = this.#isOn(kind);
    const labels = kind === 'camera' ? CAMERA_LABELS : MICROPHONE_LABELS;
    setAttribute(button, 'aria-label', on ? labels.on : labels.off);
    button.classList.toggle('off', !on);
    setIcon(button, on ? kind : `${kind}_off`);
  }

  #showPreview(): void {
    const track = this.#media.camera?.mediaStreamTrack ?? null;
    if (track !== this.#shown) {
      this.#shown = track;
      this.#video.srcObject = track === null ? null : new MediaStream([track]);
      if (track !== null) void this.#video.play().catch(() => undefined);
    }
    this.#video.hidden = track === null;
    this.#placeholder.hidden = track !== null || this.#phase !== 'asked';
    setText(this.#placeholder, text.prejoin.cameraOff);
  }

  #showProblems(): void {
    const codes = [...new Set(this.#media.problems.values())];
    const shown = codes.join(' ');
    if (shown === this.#problemsShown) return;
    this.#problemsShown = shown;
    const button = { label: text.checkAgain, press: () => void this.openDevices() };
    this.#notices.replaceChildren(...codes.map((code) => failureNotice(code, button)));
  }

  #outcomeWords(): string {
    const camera = this.#media.camera !== null;
    const microphone = this.#media.microphone !== null;
    if (camera && microphone) return text.prejoin.withBoth;
    if (camera) return text.prejoin.withCamera;
    return microphone ? text.prejoin.withMicrophone : text.prejoin.withNothing;
  }

  async #joinWithDevices(): Promise<void> {
    if (!this.#nameGiven()) return;
    if (this.#phase !== 'asked') await this.openDevices();
    this.#submit();
  }

  #submit(): void {
    if (!this.#nameGiven()) return;
    this.#actions.join(this.#name?.value.trim() ?? this.#invitation.display_name ?? '');
  }

  #nameGiven(): boolean {
    if (this.#name === null || this.#name.value.trim() !== '') return true;
    this.#setNameError(text.prejoin.nameMissing);
    this.#name.focus();
    return false;
  }
}

const CAMERA_LABELS = { on: text.call.cameraOffLabel, off: text.call.cameraOnLabel };
const MICROPHONE_LABELS = { on: text.call.muteLabel, off: text.call.unmuteLabel };
