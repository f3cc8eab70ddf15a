/**
 * Automatic log-off (45 CFR 164.312(a)(2)(iii)): who is away finds the page covered, and nothing on
 * it can be read or used until the same person logs in again, in a window of its own. A call goes
 * on behind the cover: nothing here touches media.
 */
import { lockSession, reportActivity, whoAmI, type Me } from './account';
import { ACTIVITY_EVERY_MS, LOCK_CHECK_MS } from './limits';
import { LockCover } from './views/lock';

export class ScreenLock {
  readonly #me: Me;
  readonly #ended: () => void;
  readonly #inCall: () => boolean;
  readonly #channel = new BroadcastChannel(CHANNEL);
  #cover: LockCover | null = null;
  #touchedAt = 0;
  #reportedAt = 0;
  #checking = false;

  /**
   * `me` is who opened the page. `ended` is called when nobody is logged in any more and no call
   * keeps the page.
   */
  constructor(me: Me, inCall: () => boolean, ended: () => void) {
    this.#me = me;
    this.#inCall = inCall;
    this.#ended = ended;
    const touched = () => this.#touched();
    for (const event of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
      addEventListener(event, touched, { passive: true, capture: true });
    }
    this.#channel.addEventListener('message', () => void this.#check());
    setInterval(() => void this.#check(), LOCK_CHECK_MS);
    this.#touched();
  }

  /** Locks at once: the person asked for it. */
  async lock(): Promise<void> {
    this.#show();
    try {
      await lockSession();
    } catch {
      // The cover stays; the server locks by itself when nobody reports activity.
    }
    this.#channel.postMessage('changed');
  }

  #touched(): void {
    const now = Date.now();
    this.#touchedAt = now;
    if (this.#cover !== null || now - this.#reportedAt < ACTIVITY_EVERY_MS) return;
    this.#reportedAt = now;
    reportActivity().then(
      (me) => this.#apply(me),
      // The next touch reports again; what the server does not hear locks the screen.
      () => (this.#reportedAt = 0),
    );
  }

  async #check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    try {
      this.#apply(await whoAmI());
    } catch {
      this.#coverWhenIdle();
    } finally {
      this.#checking = false;
    }
  }

  /** Even without the server, a page that nobody touches is covered in time. */
  #coverWhenIdle(): void {
    const idle_ms = (this.#me.idle_s ?? 0) * 1000;
    if (Date.now() - this.#touchedAt > idle_ms) this.#show();
  }

  #apply(me: Me): void {
    if (me.kind === 'user' && me.id === this.#me.id && !me.locked) {
      this.#cover?.remove();
      this.#cover = null;
      return;
    }
    if (me.kind !== 'user' && !this.#inCall()) {
      this.#ended();
      return;
    }
    this.#show();
  }

  #show(): void {
    this.#cover ??= new LockCover(this.#inCall());
  }
}

/** Tells locked pages of this browser that somebody has logged in. */
export function announceUnlock(): void {
  new BroadcastChannel(CHANNEL).postMessage('changed');
}

const CHANNEL = 'bedside.session';
