/** Camera and microphone before the call: asking for them, choosing them, handing them over. */
import {
  createLocalTracks,
  LocalAudioTrack,
  LocalVideoTrack,
  VideoPresets,
  type AudioCaptureOptions,
  type LocalTrack,
  type VideoCaptureOptions,
} from 'livekit-client';
import { failureOfDevice, type DeviceKind, type FailureCode } from './failures';
import { recallDevices, rememberDevices, type DeviceChoice } from './tab-memory';

/** Whether asking for a device would make the browser show its permission prompt. */
export type Permission = 'granted' | 'prompt' | 'denied';

export class LocalMedia {
  readonly #choice: DeviceChoice = recallDevices();
  readonly #problems = new Map<DeviceKind, FailureCode>();
  #camera: LocalVideoTrack | null = null;
  #microphone: LocalAudioTrack | null = null;
  #starting: Promise<void> = Promise.resolve();

  constructor(readonly onChange: () => void) {
    navigator.mediaDevices?.addEventListener('devicechange', () => this.onChange());
  }

  get choice(): Readonly<DeviceChoice> {
    return this.#choice;
  }

  get camera(): LocalVideoTrack | null {
    return this.#camera;
  }

  get microphone(): LocalAudioTrack | null {
    return this.#microphone;
  }

  /** What went wrong with a device that is wanted, if anything did. */
  get problems(): ReadonlyMap<DeviceKind, FailureCode> {
    return this.#problems;
  }

  /** The ids that are really in use, which differ from the choice while that is the default. */
  activeId(kind: MediaDeviceKind): string | null {
    if (kind === 'videoinput') return settingsId(this.#camera) ?? this.#choice.cameraId;
    if (kind === 'audioinput') return settingsId(this.#microphone) ?? this.#choice.microphoneId;
    return this.#choice.speakerId;
  }

  /** Opens every wanted device that is not open yet, with one permission prompt if it can be. */
  start(): Promise<void> {
    // One at a time: two overlapping requests would open a device twice.
    this.#starting = this.#starting.then(() => this.#startWanted());
    return this.#starting;
  }

  /** Wants a device, or not; opens or closes it. */
  async setOn(kind: DeviceKind, on: boolean): Promise<void> {
    this.want(kind, on);
    if (on) {
      await this.start();
      return;
    }
    if (kind === 'camera') {
      this.#camera?.stop();
      this.#camera = null;
    } else {
      this.#microphone?.stop();
      this.#microphone = null;
    }
    this.onChange();
  }

  /** Notes whether a device is wanted, without touching it (a call that owns it does that). */
  want(kind: DeviceKind, on: boolean): void {
    if (kind === 'camera') this.#choice.cameraOn = on;
    else this.#choice.microphoneOn = on;
    this.#problems.delete(kind);
    rememberDevices(this.#choice);
  }

  /** Notes a device by id, without opening it. */
  choose(kind: MediaDeviceKind, id: string): void {
    if (kind === 'videoinput') this.#choice.cameraId = id;
    else if (kind === 'audioinput') this.#choice.microphoneId = id;
    else this.#choice.speakerId = id;
    rememberDevices(this.#choice);
  }

  /** Switches a device that is open here to another one; opens it if it was wanted and failed. */
  async switchTo(kind: MediaDeviceKind, id: string): Promise<void> {
    this.choose(kind, id);
    if (kind === 'audiooutput') return;
    const device: DeviceKind = kind === 'videoinput' ? 'camera' : 'microphone';
    const track = device === 'camera' ? this.#camera : this.#microphone;
    if (track === null) {
      await this.setOn(device, true);
      return;
    }
    try {
      await track.setDeviceId({ exact: id });
      this.#problems.delete(device);
    } catch (error) {
      await this.setOn(device, false);
      this.#problems.set(device, failureOfDevice(error, device));
    }
    this.onChange();
  }

  /** Gives the open tracks away, to be published; the receiver stops them from now on. */
  handOver(): { camera: LocalVideoTrack | null; microphone: LocalAudioTrack | null } {
    const tracks = { camera: this.#camera, microphone: this.#microphone };
    this.#camera = null;
    this.#microphone = null;
    return tracks;
  }

  /** Turns everything off that is on here or about to be, without forgetting what is wanted. */
  close(): void {
    void this.#starting.then(() => {
      const { camera, microphone } = this.handOver();
      camera?.stop();
      microphone?.stop();
    });
  }

  captureVideo(): VideoCaptureOptions {
    return {
      ...(this.#choice.cameraId === null ? {} : { deviceId: this.#choice.cameraId }),
      resolution: VideoPresets.h720.resolution,
    };
  }

  captureAudio(): AudioCaptureOptions {
    return {
      ...(this.#choice.microphoneId === null ? {} : { deviceId: this.#choice.microphoneId }),
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    };
  }

  async #startWanted(): Promise<void> {
    const wanted: DeviceKind[] = [];
    if (this.#choice.cameraOn && this.#camera === null) wanted.push('camera');
    if (this.#choice.microphoneOn && this.#microphone === null) wanted.push('microphone');
    if (wanted.length === 0) return;
    if (!(await this.#open(wanted)) && wanted.length > 1) await this.#openEach(wanted);
    this.onChange();
  }

  /** One by one after a failed request for both, to find the device that is at fault. */
  async #openEach(kinds: DeviceKind[]): Promise<void> {
    const denied = [...this.#problems.values()].includes('permission_denied');
    for (const kind of kinds) {
      // A person who just said no is not asked again, unless only the other device was refused.
      if (denied && (await permissionOf(kind)) !== 'granted') continue;
      await this.#open([kind]);
    }
  }

  async #open(kinds: DeviceKind[]): Promise<boolean> {
    try {
      const tracks = await createLocalTracks({
        video: kinds.includes('camera') ? this.captureVideo() : false,
        audio: kinds.includes('microphone') ? this.captureAudio() : false,
      });
      for (const track of tracks) this.#adopt(track);
      for (const kind of kinds) this.#problems.delete(kind);
      return true;
    } catch (error) {
      for (const kind of kinds) this.#problems.set(kind, failureOfDevice(error, kind));
      return false;
    }
  }

  #adopt(track: LocalTrack): void {
    if (track instanceof LocalVideoTrack) this.#camera = track;
    else if (track instanceof LocalAudioTrack) this.#microphone = track;
  }
}

/** What the browser would do if it were asked for a device now. Unknown counts as a prompt. */
export async function permissionOf(kind: DeviceKind): Promise<Permission> {
  try {
    const status = await navigator.permissions.query({ name: kind as PermissionName });
    return status.state;
  } catch {
    return 'prompt';
  }
}

/** The devices of one kind that can be chosen. Labels are empty before permission is given. */
export async function listDevices(kind: MediaDeviceKind): Promise<MediaDeviceInfo[]> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === kind && device.deviceId !== '');
}

/** Whether this browser can take part in a call at all. */
export function browserProblem(): FailureCode | null {
  if (!window.isSecureContext) return 'insecure_page';
  if (typeof RTCPeerConnection === 'undefined' || !navigator.mediaDevices?.getUserMedia) {
    return 'browser_unsupported';
  }
  return null;
}

function settingsId(track: LocalTrack | null): string | null {
  return track?.mediaStreamTrack.getSettings().deviceId ?? null;
}
