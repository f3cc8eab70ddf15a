/**
 * Every way in which joining, or staying, can fail, as one closed set. The words for each are in
 * `strings.ts`; what can be done about each is `actionFor`.
 */
import { ConnectionErrorReason, DisconnectReason } from 'livekit-client';

export const FAILURE_CODES = [
  'link_missing',
  'link_expired',
  'link_used',
  'link_unknown',
  'session_ended',
  'rate_limited',
  'server_unavailable',
  'offline',
  'network_signal',
  'network_media',
  'connection_lost',
  'browser_unsupported',
  'insecure_page',
  'permission_denied',
  'no_camera',
  'no_microphone',
  'device_in_use',
  'device_failed',
  'publish_failed',
  'share_failed',
  'removed',
  'room_closed',
  'joined_elsewhere',
  'not_allowed',
  'turned_away',
  'log_in_first',
  'unexpected',
] as const;

/** Stable name of a failure; tests and support staff see it as `data-code`. */
export type FailureCode = (typeof FAILURE_CODES)[number];

/** What the person can do about a failure that ends the call or keeps it from starting. */
export type FailureAction = 'retry' | 'rejoin' | 'none';

/** Kinds of device that `getUserMedia` can fail on. */
export type DeviceKind = 'camera' | 'microphone';

/** An expected failure on its way to the screen. It carries no text about a person. */
export class Failure extends Error {
  constructor(readonly code: FailureCode) {
    super(code);
    this.name = 'Failure';
  }
}

/** The failure that an error body of the server's JSON API names. */
export function failureOfApi(status: number, error: unknown): FailureCode {
  switch (error) {
    case 'link_expired':
    case 'link_used':
    case 'link_unknown':
    case 'session_ended':
    case 'turned_away':
    case 'log_in_first':
    case 'not_allowed':
    case 'rate_limited':
    case 'server_unavailable':
      return error;
  }
  if (status === 401) return 'log_in_first';
  if (status === 403) return 'not_allowed';
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'server_unavailable';
  return 'link_unknown';
}

/** The failure behind a request that got no answer at all. */
export function failureOfFetch(online: boolean): FailureCode {
  return online ? 'server_unavailable' : 'offline';
}

/**
 * The failure behind a rejected `room.connect`. Once signalling is connected, what is left to fail
 * is the media path: ICE or DTLS, which networks that drop UDP break.
 */
export function failureOfConnect(
  reason: ConnectionErrorReason | undefined,
  leave: DisconnectReason | undefined,
  signalConnected: boolean,
  online: boolean,
): FailureCode {
  if (reason === ConnectionErrorReason.LeaveRequest) return failureOfDisconnect(leave, online);
  if (reason === ConnectionErrorReason.NotAllowed) return 'not_allowed';
  if (signalConnected) return 'network_media';
  if (!online) return 'offline';
  return 'network_signal';
}

/** The failure behind a call that ended without the person asking for it. */
export function failureOfDisconnect(
  reason: DisconnectReason | undefined,
  online: boolean,
): FailureCode {
  switch (reason) {
    case DisconnectReason.DUPLICATE_IDENTITY:
      return 'joined_elsewhere';
    case DisconnectReason.PARTICIPANT_REMOVED:
      return 'removed';
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return 'room_closed';
    case DisconnectReason.SERVER_SHUTDOWN:
      return 'server_unavailable';
    default:
      return online ? 'connection_lost' : 'offline';
  }
}

/** The failure behind a rejected `getUserMedia` for one kind of device. */
export function failureOfDevice(error: unknown, kind: DeviceKind): FailureCode {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'permission_denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return kind === 'camera' ? 'no_camera' : 'no_microphone';
    case 'NotReadableError':
    case 'AbortError':
      return 'device_in_use';
    default:
      return 'device_failed';
  }
}

/** What the failure screen offers. `rejoin` uses the session that the browser still holds. */
export function actionFor(code: FailureCode): FailureAction {
  switch (code) {
    case 'link_used':
    case 'connection_lost':
    case 'joined_elsewhere':
      return 'rejoin';
    case 'rate_limited':
    case 'server_unavailable':
    case 'offline':
    case 'network_signal':
    case 'network_media':
    case 'unexpected':
      return 'retry';
    default:
      return 'none';
  }
}
