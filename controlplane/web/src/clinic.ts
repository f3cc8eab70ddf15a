/** The page at `/clinic`: a clinician's consults. */
import { logOut, whoAmI, type Me } from './account';
import {
  breakGlass,
  decide,
  endConsult,
  invite,
  listConsults,
  openConsult,
  whoWaits,
  type Consultation,
  type Emergency,
} from './clinic-api';
import { h } from './dom';
import { Failure } from './failures';
import { CLINIC_REFRESH_MS, LINKED_CONSULTS_MAX } from './limits';
import { announceUnlock, ScreenLock } from './screen-lock';
import { text } from './strings';
import { ClinicView } from './views/clinic';

export class Clinic {
  readonly #root = h('div', { class: 'root' });
  #view: ClinicView | null = null;
  #lock: ScreenLock | null = null;
  #refreshing = false;

  async start(parent: Element): Promise<void> {
    parent.append(this.#root);
    const parameters = new URL(location.href).searchParams;
    history.replaceState(null, '', '/clinic');
    try {
      const me = await whoAmI();
      if (me.kind !== 'user' || (me.locked && !parameters.has('unlocked'))) {
        this.#showLogin(me);
        return;
      }
      if (parameters.has('unlocked')) {
        announceUnlock();
        this.#showUnlocked();
        // Only a window that a page opened may close itself; otherwise the words stay.
        window.close();
        return;
      }
      this.#showConsults(me);
    } catch {
      this.#showLogin(null);
    }
  }

  #showConsults(me: Me): void {
    const view = new ClinicView({
      open: (label) => this.#do(async () => void (await openConsult(label)), text.clinic.opened),
      invite: (room) =>
        this.#do(async () => view.showLink(room, await invite(room)), text.clinic.invited),
      join: enter,
      enterInEmergency: (emergency) => this.#do(() => this.#breakGlass(emergency), ''),
      end: (room) => {
        if (confirm(text.clinic.confirmEnd)) this.#do(() => endConsult(room), text.clinic.ended);
      },
      decide: (room, identity, admit) => this.#do(() => decide(room, identity, admit), ''),
      lock: () => void this.#lock?.lock(),
      logOut: () => this.#do(async () => this.#leave(await logOut()), ''),
    });
    this.#view = view;
    this.#lock = new ScreenLock(
      me,
      () => false,
      () => this.#leave(),
    );
    this.#draw(view.element);
    void this.#refresh();
    setInterval(() => void this.#refresh(), CLINIC_REFRESH_MS);
  }

  /** Does something, says how it went, and draws what is true then. */
  #do(what: () => Promise<void>, words: string): void {
    what().then(
      () => {
        this.#view?.say(words);
        return this.#refresh();
      },
      (error: unknown) => {
        const code = error instanceof Failure ? error.code : 'unexpected';
        this.#view?.say(text.failures[code].title);
      },
    );
  }

  /** The server asks for factors of the last minutes, and says so here before it refuses. */
  async #breakGlass(emergency: Emergency): Promise<void> {
    const steppedUp = (await whoAmI()).stepped_up === true;
    this.#view?.askForFactors(!steppedUp);
    if (!steppedUp) return;
    await breakGlass(emergency);
    enter(emergency.room);
  }

  async #refresh(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      const consults = await listConsults();
      this.#view?.show(consults);
      await Promise.all(consults.slice(0, LINKED_CONSULTS_MAX).map((one) => this.#seeWaiting(one)));
    } catch {
      // The next round asks again; a session that is over is the lock's to see.
    } finally {
      this.#refreshing = false;
    }
  }

  async #seeWaiting({ room }: Consultation): Promise<void> {
    this.#view?.showWaiting(room, await whoWaits(room));
  }

  #leave(_?: void): void {
    location.assign('/clinic');
  }

  #showLogin(me: Me | null): void {
    const words = me !== null && !me.login ? text.clinic.noLogin : text.clinic.loginDetail;
    this.#draw(
      h(
        'main',
        { class: 'screen narrow' },
        h(
          'section',
          { class: 'card', 'data-testid': 'login' },
          h('h1', { tabindex: -1 }, text.clinic.loginTitle),
          h('p', {}, words),
          me !== null && !me.login
            ? null
            : h('a', { class: 'button primary', href: '/login', 'data-testid': 'log-in' }, text.clinic.logIn),
        ),
      ),
    );
  }

  #showUnlocked(): void {
    this.#draw(
      h(
        'main',
        { class: 'screen narrow' },
        h(
          'section',
          { class: 'card', 'data-testid': 'unlocked' },
          h('h1', { tabindex: -1 }, text.lock.unlockedTitle),
          h('p', {}, text.lock.unlockedDetail),
          h('a', { class: 'button', href: '/clinic' }, text.clinic.title),
        ),
      ),
    );
  }

  #draw(screen: HTMLElement): void {
    this.#root.replaceChildren(screen);
    const heading = screen.querySelector('h1');
    document.title = `${heading?.textContent ?? ''} – ${text.title}`;
    heading?.focus();
  }
}

function enter(room: string): void {
  location.assign(`/consult?consult=${encodeURIComponent(room)}`);
}
