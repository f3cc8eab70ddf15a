/** The choice of camera, microphone and speaker, with a level meter and a speaker test. */
import { h, onClick, setText, uniqueId } from '../dom';
import { icon } from '../icons';
import { listDevices } from '../media';
import { canChooseSpeaker, LevelMeter, playTestSound } from '../sound';
import { text } from '../strings';

/** Where the fields get what they show, and what they do; the pre-join screen and the call differ. */
export interface DeviceSource {
  activeId(kind: MediaDeviceKind): string | null;
  switchTo(kind: MediaDeviceKind, id: string): void;
  microphoneTrack(): MediaStreamTrack | null;
}

export class DeviceFields {
  readonly element: HTMLElement;
  readonly #source: DeviceSource;
  readonly #selects: ReadonlyMap<MediaDeviceKind, HTMLSelectElement>;
  readonly #bar = h('div', { class: 'meter-bar' });
  readonly #status = h('p', { class: 'meter-words', role: 'status' });
  readonly #meter: LevelMeter;
  #followed: MediaStreamTrack | null = null;
  #heard = false;

  constructor(source: DeviceSource) {
    this.#source = source;
    const camera = this.#field('videoinput', text.devices.camera, 'camera-select');
    const microphone = this.#field('audioinput', text.devices.microphone, 'microphone-select');
    const speaker = this.#field('audiooutput', text.devices.speaker, 'speaker-select');
    this.#selects = new Map<MediaDeviceKind, HTMLSelectElement>([
      ['videoinput', camera.select],
      ['audioinput', microphone.select],
      ['audiooutput', speaker.select],
    ]);
    const meter = h('div', { class: 'meter', 'aria-hidden': 'true' }, this.#bar);
    this.element = h(
      'div',
      { class: 'device-fields' },
      camera.element,
      h('div', { class: 'device' }, microphone.element, meter, this.#status),
      h('div', { class: 'device' }, canChooseSpeaker() && speaker.element, this.#speakerTest()),
    );
    this.#meter = new LevelMeter((level) => this.#showLevel(level));
  }

  /** Reads devices and tracks again. */
  async update(): Promise<void> {
    this.#follow(this.#source.microphoneTrack());
    for (const [kind, select] of this.#selects) {
      fill(select, await listDevices(kind), kind, this.#source.activeId(kind));
    }
  }

  stop(): void {
    this.#meter.stop();
  }

  #field(
    kind: MediaDeviceKind,
    label: string,
    testId: string,
  ): { element: HTMLElement; select: HTMLSelectElement } {
    const id = uniqueId('device');
    const select = h('select', { id, 'data-testid': testId });
    select.addEventListener('change', () => this.#source.switchTo(kind, select.value));
    const element = h('div', { class: 'field' }, h('label', { for: id }, label), select);
    return { element, select };
  }

  #speakerTest(): HTMLElement {
    const words = h('span', {}, text.devices.testSpeaker);
    const button = h(
      'button',
      { type: 'button', class: 'button small', 'data-testid': 'speaker-test' },
      icon('speaker'),
      words,
    );
    onClick(button, () => {
      if (button.getAttribute('aria-disabled') === 'true') return;
      button.setAttribute('aria-disabled', 'true');
      setText(words, text.devices.testPlaying);
      void playTestSound(this.#source.activeId('audiooutput'))
        .catch(() => undefined)
        .finally(() => {
          button.removeAttribute('aria-disabled');
          setText(words, text.devices.testSpeaker);
        });
    });
    return button;
  }

  #follow(track: MediaStreamTrack | null): void {
    if (track !== this.#followed) {
      this.#followed = track;
      this.#heard = false;
      this.#meter.follow(track);
    }
    if (track === null) setText(this.#status, text.devices.microphoneOff);
    else if (!this.#heard) setText(this.#status, text.devices.quiet);
  }

  #showLevel(level: number): void {
    this.#bar.style.transform = `scaleX(${level.toFixed(3)})`;
    if (this.#heard || level < HEARD_LEVEL) return;
    this.#heard = true;
    setText(this.#status, text.devices.heard);
  }
}

function fill(
  select: HTMLSelectElement,
  devices: MediaDeviceInfo[],
  kind: MediaDeviceKind,
  activeId: string | null,
): void {
  // Rebuilding an open list would close it under the person's hand.
  const wanted = JSON.stringify(devices.map((device) => [device.deviceId, device.label]));
  if (select.dataset['devices'] !== wanted) {
    select.dataset['devices'] = wanted;
    const unnamed = text.devices.unnamed[UNNAMED[kind]];
    select.replaceChildren(
      ...devices.map((device, index) =>
        h('option', { value: device.deviceId }, device.label || `${unnamed} ${index + 1}`),
      ),
    );
    if (devices.length === 0) {
      const empty = kind === 'audiooutput' ? text.devices.systemDefault : text.devices.none;
      select.append(h('option', { value: '' }, empty));
    }
    select.disabled = devices.length === 0;
  }
  if (activeId !== null) select.value = activeId;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

const UNNAMED = {
  videoinput: 'camera',
  audioinput: 'microphone',
  audiooutput: 'speaker',
} as const;

/** About -40 dBFS: speech at arm's length, well above the noise of a room. */
const HEARD_LEVEL = 0.34;
