/** The call itself: a LiveKit room, reduced to what the page draws and what a person can do. */
import {
  ConnectionError,
  ConnectionQuality,
  ConnectionState,
  DisconnectReason,
  Room,
  RoomEvent,
  Track,
  type LocalAudioTrack,
  type LocalVideoTrack,
  type Participant,
  type RemoteParticipant,
  type RemoteTrack,
} from 'livekit-client';
import type { Admission, Role } from './api';
import {
  Failure,
  failureOfConnect,
  failureOfDevice,
  failureOfDisconnect,
  type DeviceKind,
  type FailureCode,
} from './failures';
import { CHAT_STREAM_BYTES_MAX, MEDIA_TIMEOUT_MS, SIGNAL_TIMEOUT_MS } from './limits';
import type { LocalMedia } from './media';
import { RemoteAudio } from './remote-audio';
import { nameOr } from './state';
import { text } from './strings';
import type { Clock } from './timings';
import type { ChatMessage } from './chat-log';

/** What the call tells the page. */
export interface ConsultListener {
  /** Something that a tile or a button shows has changed. */
  changed(): void;
  connected(): void;
  resuming(): void;
  restarting(): void;
  reconnected(): void;
  /** The call is over; `null` when the person left on purpose. */
  ended(code: FailureCode | null): void;
  /** Something failed, and the call goes on. */
  problem(code: FailureCode): void;
  /** Something worth saying to a screen reader. */
  said(words: string, urgent: boolean): void;
  chat(message: ChatMessage): void;
}

export class Consult {
  readonly room: Room;
  readonly #media: LocalMedia;
  readonly #clock: Clock;
  readonly #listener: ConsultListener;
  readonly #audio: RemoteAudio;
  #role: Role | null = null;
  #joining = false;
  /** Whether the person asked to leave; LiveKit's client also leaves when the page is unloaded. */
  #leaving = false;
  #signalConnected = false;
  #devicesReady: Promise<void> = Promise.resolve();
  /** Tracks on their way out: they already count, and muting them must not wait. */
  readonly #publishing = new Map<DeviceKind, LocalVideoTrack | LocalAudioTrack>();

  constructor(media: LocalMedia, clock: Clock, listener: ConsultListener) {
    this.#media = media;
    this.#clock = clock;
    this.#listener = listener;
    this.#audio = new RemoteAudio(clock);
    this.room = new Room({
      adaptiveStream: true,
      dynacast: true,
      disconnectOnPageLeave: true,
      publishDefaults: { simulcast: true, dtx: true, stopMicTrackOnMute: false },
      dataStream: { maxPayloadByteLength: CHAT_STREAM_BYTES_MAX },
    });
    this.#listen();
  }

  /** Warms the connection up while the person is still choosing devices. */
  prepare(): void {
    void this.room.prepareConnection(location.origin);
  }

  /**
   * Connects, and publishes what `LocalMedia` has open as soon as signalling is there and
   * `devicesReady` has settled, beside ICE and DTLS.
   *
   * @throws {Failure} when the connection cannot be made.
   */
  async connect(admission: Admission, devicesReady: Promise<void>): Promise<void> {
    this.#role = admission.role;
    this.#joining = true;
    this.#leaving = false;
    this.#signalConnected = false;
    this.#devicesReady = devicesReady;
    try {
      await this.room.connect(admission.url, admission.token, {
        autoSubscribe: true,
        peerConnectionTimeout: MEDIA_TIMEOUT_MS,
        websocketTimeout: SIGNAL_TIMEOUT_MS,
      });
    } catch (error) {
      const known = error instanceof ConnectionError ? error : null;
      const leave = known?.context as DisconnectReason | undefined;
      throw new Failure(
        failureOfConnect(known?.reason, leave, this.#signalConnected, navigator.onLine),
      );
    } finally {
      this.#joining = false;
    }
  }

  leave(): void {
    this.#leaving = true;
    void this.room.disconnect();
  }

  get microphoneOn(): boolean {
    const track = this.#publishing.get('microphone');
    return track ? !track.isMuted : this.room.localParticipant.isMicrophoneEnabled;
  }

  get cameraOn(): boolean {
    const track = this.#publishing.get('camera');
    return track ? !track.isMuted : this.room.localParticipant.isCameraEnabled;
  }

  get sharing(): boolean {
    return this.room.localParticipant.isScreenShareEnabled;
  }

  get canShare(): boolean {
    return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
  }

  /** Whether we are here as a patient or as a clinician; `null` before the first call. */
  get role(): Role | null {
    return this.#role;
  }

  /** Somebody entered in an emergency, without an invitation. */
  get emergency(): boolean {
    const others = [...this.room.remoteParticipants.values()];
    return others.some(({ attributes }) => attributes['bedside.emergency'] !== undefined);
  }

  get recording(): boolean {
    return this.room.isRecording;
  }

  /** Whether the browser waits for a click before it plays sound. */
  get soundBlocked(): boolean {
    return !this.room.canPlaybackAudio;
  }

  allowSound(): void {
    void this.room.startAudio();
  }

  async toggle(kind: DeviceKind): Promise<void> {
    const local = this.room.localParticipant;
    const on = kind === 'camera' ? !this.cameraOn : !this.microphoneOn;
    this.#media.want(kind, on);
    const track = this.#publishing.get(kind);
    try {
      if (track) await (on ? track.unmute() : track.mute());
      else if (kind === 'camera') await local.setCameraEnabled(on, this.#media.captureVideo());
      else await local.setMicrophoneEnabled(on, this.#media.captureAudio());
      const words = kind === 'camera' ? CAMERA_WORDS : MICROPHONE_WORDS;
      this.#listener.said(on ? words.on : words.off, false);
    } catch (error) {
      // What the browser's capture refuses is a DOMException, and comes as MediaDevicesError.
      if (!(error instanceof DOMException)) this.#listener.problem('publish_failed');
    }
    this.#listener.changed();
  }

  async toggleShare(): Promise<void> {
    const on = !this.sharing;
    try {
      await this.room.localParticipant.setScreenShareEnabled(on, {
        audio: true,
        contentHint: 'detail',
        selfBrowserSurface: 'exclude',
      });
    } catch (error) {
      // Closing the browser's chooser is a decision, not a failure.
      const cancelled = error instanceof Error && error.name === 'NotAllowedError';
      if (!cancelled) this.#listener.problem('share_failed');
    }
    this.#listener.changed();
  }

  /** Changes a device during the call; `LocalMedia` remembers it for the next one. */
  async switchDevice(kind: MediaDeviceKind, id: string): Promise<void> {
    this.#media.choose(kind, id);
    try {
      await this.room.switchActiveDevice(kind, id);
    } catch (error) {
      this.#listener.problem(
        failureOfDevice(error, kind === 'videoinput' ? 'camera' : 'microphone'),
      );
    }
    this.#listener.changed();
  }

  /** The id of the device in use, or `null` when it is not known. */
  activeId(kind: MediaDeviceKind): string | null {
    const source = kind === 'videoinput' ? Track.Source.Camera : Track.Source.Microphone;
    const track = this.room.localParticipant.getTrackPublication(source)?.track;
    if (kind === 'audiooutput' || !track) return this.#media.activeId(kind);
    return track.mediaStreamTrack.getSettings().deviceId ?? null;
  }

  /** The track whose level the meter in the devices dialog follows. */
  get microphoneTrack(): MediaStreamTrack | null {
    if (!this.microphoneOn) return null;
    const publication = this.room.localParticipant.getTrackPublication(Track.Source.Microphone);
    return publication?.track?.mediaStreamTrack ?? null;
  }

  /** Sends one chat message to everyone; says whether it went out. */
  async sendChat(body: string): Promise<boolean> {
    try {
      const info = await this.room.localParticipant.sendText(body, { topic: CHAT_TOPIC });
      const from = text.chat.you;
      this.#listener.chat({ id: info.id, from, own: true, body, sentAtMs: info.timestamp });
      return true;
    } catch {
      return false;
    }
  }

  /** The name to show for somebody. */
  nameOf(participant: Participant): string {
    const role = participant.isLocal ? this.#role : null;
    return nameOr(participant.name, role, text.call.unnamed);
  }

  /** Everyone, others first in order of arrival, ourselves last. */
  get people(): Participant[] {
    const others = [...this.room.remoteParticipants.values()].sort(
      (a, b) => (a.joinedAt?.getTime() ?? 0) - (b.joinedAt?.getTime() ?? 0),
    );
    return [...others, this.room.localParticipant];
  }

  #listen(): void {
    const { room } = this;
    const changed = (): void => this.#listener.changed();
    for (const event of EVENTS_THAT_REDRAW) room.on(event, changed);
    room.registerTextStreamHandler(CHAT_TOPIC, (reader, { identity }) => {
      void this.#readChat(reader.readAll(), reader.info.id, reader.info.timestamp, identity);
    });
    room
      .on(RoomEvent.SignalConnected, () => {
        this.#clock.mark('signalConnectedMs');
        this.#signalConnected = true;
        void this.#publish();
      })
      .on(RoomEvent.Connected, () => {
        this.#clock.mark('connectedMs');
        this.#listener.connected();
      })
      .on(RoomEvent.SignalReconnecting, () => this.#listener.resuming())
      .on(RoomEvent.Reconnecting, () => this.#listener.restarting())
      .on(RoomEvent.Reconnected, () => this.#listener.reconnected())
      .on(RoomEvent.Disconnected, (reason) => this.#ended(reason))
      .on(RoomEvent.ParticipantConnected, (participant) =>
        this.#listener.said(text.call.joined(this.nameOf(participant)), false),
      )
      .on(RoomEvent.ParticipantDisconnected, (participant) =>
        this.#listener.said(text.call.gone(this.nameOf(participant)), false),
      )
      .on(RoomEvent.TrackSubscribed, (track, _publication, participant) =>
        this.#subscribed(track, participant),
      )
      .on(RoomEvent.TrackUnsubscribed, (track) => this.#audio.remove(track))
      .on(RoomEvent.TrackStreamStateChanged, (_publication, state) => {
        const paused = state === Track.StreamState.Paused;
        this.#listener.said(paused ? text.tile.paused : text.tile.resumed, false);
      })
      .on(RoomEvent.TrackMuted, (publication, participant) => {
        const byHost = participant.isLocal && this.#media.choice.microphoneOn;
        if (!byHost || publication.source !== Track.Source.Microphone) return;
        this.#media.want('microphone', false);
        this.#listener.said(text.call.mutedByHost, true);
      })
      .on(RoomEvent.LocalTrackPublished, ({ source }) => {
        if (source !== Track.Source.ScreenShare) return;
        this.#listener.said(text.call.nowSharing, false);
      })
      .on(RoomEvent.LocalTrackUnpublished, ({ source }) => {
        if (source !== Track.Source.ScreenShare) return;
        this.#listener.said(text.call.stoppedSharing, false);
      })
      .on(RoomEvent.MediaDevicesError, (error, kind) => {
        if (kind === 'videoinput') this.#listener.problem(failureOfDevice(error, 'camera'));
        if (kind === 'audioinput') this.#listener.problem(failureOfDevice(error, 'microphone'));
      })
      .on(RoomEvent.RecordingStatusChanged, (recording) =>
        this.#listener.said(recording ? text.call.nowRecording : text.call.stoppedRecording, true),
      );
  }

  async #publish(): Promise<void> {
    await this.#devicesReady;
    const { camera, microphone } = this.#media.handOver();
    if (microphone) this.#publishing.set('microphone', microphone);
    if (camera) this.#publishing.set('camera', camera);
    this.#listener.changed();
    const publishing = [...this.#publishing.values()].map((track) => this.#publishOne(track));
    const went = await Promise.all(publishing);
    this.#publishing.clear();
    this.#listener.changed();
    // Without a call there is nobody to tell: `connect` reports the failure.
    if (went.includes(false) && this.room.state !== ConnectionState.Disconnected) {
      this.#listener.problem('publish_failed');
    }
  }

  /** Publishes; says whether it went. A track that nobody gets must not keep its device on. */
  async #publishOne(track: LocalVideoTrack | LocalAudioTrack): Promise<boolean> {
    try {
      await this.room.localParticipant.publishTrack(track);
      return true;
    } catch {
      track.stop();
      return false;
    }
  }

  #subscribed(track: RemoteTrack, participant: RemoteParticipant): void {
    this.#audio.add(track);
    if (track.source !== Track.Source.ScreenShare) return;
    this.#listener.said(text.call.otherSharing(this.nameOf(participant)), false);
  }

  #ended(reason: DisconnectReason | undefined): void {
    // A failed attempt to connect also ends here; `connect` reports that one.
    if (this.#joining) return;
    this.#audio.clear();
    this.#listener.ended(this.#leaving ? null : failureOfDisconnect(reason, navigator.onLine));
  }

  async #readChat(
    whole: Promise<string>,
    id: string,
    sentAtMs: number,
    identity: string,
  ): Promise<void> {
    let body: string;
    try {
      body = await whole;
    } catch {
      // A sender that broke off, or sent more than the bound: there is no message to show.
      return;
    }
    const participant = this.room.getParticipantByIdentity(identity);
    const from = participant ? this.nameOf(participant) : text.call.unnamed.other;
    this.#listener.chat({ id, from, own: false, body, sentAtMs });
  }
}

/** The words for a connection quality, or `null` while nothing is known. */
export function qualityWords(quality: ConnectionQuality): string | null {
  return quality === ConnectionQuality.Unknown ? null : text.tile.quality[quality];
}

const MICROPHONE_WORDS = { on: text.call.nowUnmuted, off: text.call.nowMuted };
const CAMERA_WORDS = { on: text.call.nowCameraOn, off: text.call.nowCameraOff };

/** The topic on which LiveKit's own components chat, so that other clients take part. */
const CHAT_TOPIC = 'lk.chat';

const EVENTS_THAT_REDRAW = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.TrackStreamStateChanged,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ActiveSpeakersChanged,
  RoomEvent.ConnectionQualityChanged,
  RoomEvent.AudioPlaybackStatusChanged,
  RoomEvent.RecordingStatusChanged,
] as const;
