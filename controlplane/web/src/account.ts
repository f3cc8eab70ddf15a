/** Who is logged in, and what the page tells the server about the person in front of it. */
import { Failure, failureOfApi, failureOfFetch } from './failures';
import { API_TIMEOUT_MS } from './limits';

/** Answer of `GET /api/me`. */
export interface Me {
  readonly kind: 'user' | 'patient' | 'agent' | 'service' | 'operator' | 'unknown';
  readonly id?: string;
  readonly roles: readonly string[];
  /** The session opens nothing until its user logs in again. */
  readonly locked: boolean;
  /** More than one factor was shown in the last minutes. */
  readonly stepped_up?: boolean;
  /** How long the session may be unused. */
  readonly idle_s?: number;
  /** Whether people can log in here at all. */
  readonly login: boolean;
}

/** @throws {Failure} when the server does not answer. */
export async function whoAmI(): Promise<Me> {
  return (await request('GET', '/api/me')) as Me;
}

/** Says that somebody is in front of the page. @throws {Failure} */
export async function reportActivity(): Promise<Me> {
  return (await request('POST', '/api/session/activity')) as Me;
}

/** @throws {Failure} when the session could not be locked. */
export async function lockSession(): Promise<void> {
  await request('POST', '/api/session/lock');
}

/** @throws {Failure} when the session could not be ended. */
export async function logOut(): Promise<void> {
  await request('POST', '/logout');
}

/**
 * A JSON request of this page to its own server; `null` for an answer without a body.
 *
 * @throws {Failure} with the reason, in the page's closed set of codes.
 */
export async function request(
  method: string,
  path: string,
  body?: object,
  timeoutMs = API_TIMEOUT_MS,
): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new Failure(failureOfFetch(navigator.onLine));
  }
  const answer = (await response.json().catch(() => null)) as { error?: unknown } | null;
  if (!response.ok) throw new Failure(failureOfApi(response.status, answer?.error ?? null));
  return answer;
}
