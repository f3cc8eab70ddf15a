/** What the address bar says: the one-time link token and the options of a kiosk or a test. */

/** The parts of the page's address that the page acts on. */
export interface Address {
  /** One-time token of the join link; lives in the fragment, which browsers never send. */
  readonly link: string | null;
  /** Room of a consult that somebody who is logged in enters; opaque. */
  readonly consult: string | null;
  /** Join with defaults as soon as the devices are ready. */
  readonly autojoin: boolean;
  /** The same address without the token, to be put back into the address bar. */
  readonly clean: string;
}

/** Reads a page address. A fragment that cannot be a token counts as none. */
export function parseAddress(url: URL): Address {
  const fragment = url.hash.slice(1);
  const consult = url.searchParams.get('consult') ?? '';
  return {
    link: TOKEN.test(fragment) ? fragment : null,
    consult: ROOM.test(consult) ? consult : null,
    autojoin: url.searchParams.get('autojoin') === '1',
    clean: url.pathname + url.search,
  };
}

/** What the server calls a consult that was opened on the clinic page. */
const ROOM = /^[A-Za-z0-9_-]{1,64}$/;

/** URL-safe text of a plausible length; the server alone decides what is a token. */
const TOKEN = /^[A-Za-z0-9._~=-]{8,512}$/;
