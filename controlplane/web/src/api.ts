/** The JSON requests of the consult page. Everything else goes over LiveKit's signalling. */
import { Failure, failureOfApi, failureOfFetch } from './failures';
import { API_TIMEOUT_MS } from './limits';

export type Role = 'patient' | 'clinician';

/** Answer of `POST /api/link`: whom the link is for. Looking does not consume the link. */
export interface Invitation {
  readonly role: Role;
  readonly room_label: string;
  readonly display_name: string | null;
}

/** Answer of `POST /api/join`: where to connect, and the LiveKit token to show there. */
export interface Admission {
  readonly url: string;
  readonly token: string;
  readonly identity: string;
  readonly role: Role;
}

/**
 * Looks a join link up without consuming it.
 *
 * @throws {Failure} with the reason, in the page's closed set of codes.
 */
export async function lookUpLink(link: string): Promise<Invitation> {
  return (await post('/api/link', { link })) as Invitation;
}

/**
 * Consumes a join link or, with `null`, uses the session cookie that an earlier join left behind
 * (after a reload, or to come back after leaving). An empty `displayName` keeps the name that the
 * server already has. `must_wait`: the link is good, and somebody has to let its holder in.
 *
 * @throws {Failure} with the reason, in the page's closed set of codes.
 */
export async function requestAdmission(
  link: string | null,
  displayName: string,
): Promise<Admission | 'must_wait'> {
  const answer = await post('/api/join', { link, display_name: displayName });
  return (answer as { waiting?: boolean }).waiting === true ? 'must_wait' : (answer as Admission);
}

async function post(path: string, body: object): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(API_TIMEOUT_MS),
    });
  } catch {
    throw new Failure(failureOfFetch(navigator.onLine));
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && isRecord(answer)) return answer;
  if (response.ok) throw new Failure('server_unavailable');
  throw new Failure(failureOfApi(response.status, isRecord(answer) ? answer['error'] : null));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
