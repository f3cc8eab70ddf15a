/** The page: one state, the screen for it, and the events that lead from one to the next. */
import { LogLevel, setLogLevel, type Room } from 'livekit-client';
import { whoAmI } from './account';
import { Announcer } from './announcer';
import { lookUpLink, requestAdmission, type Admission, type Invitation } from './api';
import { ChatLog, type ChatMessage } from './chat-log';
import { Clinic } from './clinic';
import { enterConsult, lookUpConsult } from './clinic-api';
import { Consult, type ConsultListener } from './consult';
import { h } from './dom';
import { Failure, type FailureCode } from './failures';
import { parseAddress } from './link';
import { browserProblem, LocalMedia, permissionOf } from './media';
import { ScreenLock } from './screen-lock';
import { INITIAL, nameOr, next, openingOf, type Event, type State } from './state';
import { Reporter } from './statistics';
import { text } from './strings';
import { recallVisit, rememberVisit } from './tab-memory';
import { Clock, type Timings } from './timings';
import { CallView } from './views/call';
import { failureScreen } from './views/failure';
import { PrejoinView } from './views/prejoin';
import { leftScreen, waitingScreen } from './views/simple';
import { WaitingBar } from './views/waiting-bar';
import { waitUntilAdmitted } from './waiting';
import { WakeLock } from './wake-lock';

declare global {
  interface Window {
    /** What tests and support may look at; nothing can be changed through it. */
    readonly bedside: { readonly room: Room; readonly timings: Readonly<Timings> };
  }
}

class Page implements ConsultListener {
  readonly #address = parseAddress(new URL(location.href));
  readonly #clock = new Clock();
  readonly #announcer = new Announcer();
  readonly #wakeLock = new WakeLock();
  readonly #chatLog = new ChatLog();
  readonly #media = new LocalMedia(() => this.changed());
  readonly #consult = new Consult(this.#media, this.#clock, this);
  readonly #root = h('div', { class: 'root' });
  /** The link until it is consumed; from then on the session cookie stands for us. */
  #link = this.#address.link;
  #displayName = '';
  #roomLabel = '';
  #state: State = INITIAL;
  #prejoin: PrejoinView | null = null;
  #call: CallView | null = null;
  #waitingBar: WaitingBar | null = null;

  start(parent: Element): void {
    const { room } = this.#consult;
    const clock = this.#clock;
    new Reporter(room, clock);
    Object.defineProperty(window, 'bedside', {
      value: Object.freeze({
        room,
        get timings() {
          return clock.timings;
        },
      }),
    });
    history.replaceState(null, '', this.#address.clean);
    parent.append(this.#root);
    this.#announcer.mount(document.body);
    this.#draw();
    const problem = browserProblem();
    if (problem !== null) this.#send({ type: 'failed', code: problem });
    else void this.#open();
  }

  changed(): void {
    this.#prejoin?.update();
    this.#call?.update();
  }

  connected(): void {
    rememberVisit('in_call');
    this.#wakeLock.hold();
    this.#send({ type: 'connected' });
  }

  resuming(): void {
    this.#send({ type: 'resuming' });
  }

  restarting(): void {
    this.#send({ type: 'restarting' });
  }

  reconnected(): void {
    this.#announcer.say(text.call.reconnected);
    this.#send({ type: 'connected' });
  }

  ended(code: FailureCode | null): void {
    this.#wakeLock.release();
    // Whoever only lost the connection finds the chat again, and a reload leads back to the call.
    if (code !== 'connection_lost' && code !== 'offline') {
      this.#chatLog.clear();
      rememberVisit(code === null ? 'left' : null);
    }
    this.#send(code === null ? { type: 'left' } : { type: 'failed', code });
  }

  problem(code: FailureCode): void {
    this.#call?.showProblem(code);
  }

  said(words: string, urgent: boolean): void {
    if (urgent) this.#announcer.interrupt(words);
    else this.#announcer.say(words);
  }

  chat(message: ChatMessage): void {
    if (!this.#chatLog.add(message)) return;
    // An open chat is a live region of its own.
    if (!message.own && !this.#chatLog.open) {
      this.#announcer.say(text.chat.incoming(message.from, message.body));
    }
    this.#call?.chatChanged();
  }

  async #open(): Promise<void> {
    this.#consult.prepare();
    if (this.#address.consult !== null) await this.#guardScreen();
    switch (openingOf(this.#link, this.#address.consult, recallVisit())) {
      case 'look_up_link':
        return this.#lookUp(() => lookUpLink(this.#link!));
      case 'look_up_consult':
        return this.#lookUp(() => lookUpConsult(this.#address.consult!));
      case 'return_to_call':
        return this.#rejoin();
      case 'show_left':
        this.#send({ type: 'left' });
        return;
      case 'no_link':
        this.#send({ type: 'failed', code: 'link_missing' });
    }
  }

  /** Whoever is logged in may be away from the screen; the call does not notice. */
  async #guardScreen(): Promise<void> {
    try {
      const me = await whoAmI();
      if (me.kind !== 'user') return;
      const inCall = () => this.#state.at === 'in_call' || this.#state.at === 'joining';
      new ScreenLock(me, inCall, () => location.assign('/clinic'));
    } catch {
      // What follows asks the server too, and says what is wrong.
    }
  }

  /** Looks the link or the consult up and warms the devices up side by side. */
  async #lookUp(lookUp: () => Promise<Invitation>): Promise<void> {
    const mayOpen = this.#address.autojoin || (await devicesAreGranted());
    const devices = mayOpen ? this.#media.start() : null;
    try {
      const invitation = await lookUp();
      this.#roomLabel = invitation.room_label;
      this.#send({ type: 'link_found', invitation });
      this.#clock.mark('pageReadyMs');
      if (!this.#address.autojoin) {
        if (devices !== null) await this.#prejoin?.openDevices();
        return;
      }
      const name = nameOr(invitation.display_name ?? '', invitation.role, text.call.unnamed);
      await this.#join(name, devices ?? undefined);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #join(displayName: string, devices?: Promise<void>): Promise<void> {
    this.#displayName = displayName;
    await this.#enter(this.#link === null ? 'session' : 'link', devices);
  }

  /** Comes back by the session cookie: after a reload, after leaving, after a lost connection. */
  async #rejoin(): Promise<void> {
    this.#clock.mark('pageReadyMs');
    const devices = this.#media.start();
    await this.#enter('session', devices);
  }

  /** Asks to be let in and connects, while `devices` may still be opening. */
  async #enter(from: 'link' | 'session', devices = Promise.resolve()): Promise<void> {
    // A second press while the first is under way must not use the link up twice.
    if (!this.#send({ type: 'join', from })) return;
    this.#clock.startJoin();
    try {
      const admission = await this.#admission(from);
      this.#clock.mark('admittedMs');
      this.#link = null;
      await this.#consult.connect(admission, devices);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Asks to be let in, and waits for it where somebody has to decide. */
  async #admission(from: 'link' | 'session'): Promise<Admission> {
    if (this.#address.consult !== null) return enterConsult(this.#address.consult);
    const link = from === 'link' ? this.#link : null;
    for (;;) {
      const answer = await requestAdmission(this.#link === null ? null : link, this.#displayName);
      if (answer !== 'must_wait') return answer;
      // The link is used up; a reload comes back to the waiting room by the session.
      this.#link = null;
      rememberVisit('in_call');
      this.#send({ type: 'must_wait' });
      this.#wakeLock.hold();
      await waitUntilAdmitted();
      this.#send({ type: 'admitted' });
    }
  }

  #retry(): void {
    if (this.#displayName === '' && this.#link !== null) {
      this.#send({ type: 'open' });
      void this.#lookUp(() => lookUpLink(this.#link!));
    } else if (this.#link !== null) {
      void this.#enter('link', this.#media.start());
    } else {
      void this.#rejoin();
    }
  }

  #fail(error: unknown): void {
    const code = error instanceof Failure ? error.code : 'unexpected';
    if (code === 'session_ended') rememberVisit(null);
    this.#media.close();
    this.#send({ type: 'failed', code });
  }

  /** Says whether the event meant anything in the present state. */
  #send(event: Event): boolean {
    const state = next(this.#state, event);
    if (state === this.#state) return false;
    this.#state = state;
    if (state.at === 'in_call' && this.#call !== null) this.#call.showConnection(state.connection);
    else this.#draw();
    return true;
  }

  #draw(): void {
    this.#prejoin?.dispose();
    this.#prejoin = null;
    this.#call?.dispose();
    this.#call = null;
    this.#waitingBar?.dispose();
    this.#waitingBar = null;
    const screen = this.#screen();
    this.#root.replaceChildren(screen);
    this.changed();
    const heading = screen.querySelector('h1');
    document.title = `${heading?.textContent ?? ''} – ${text.title}`;
    heading?.focus();
  }

  #screen(): HTMLElement {
    const state = this.#state;
    switch (state.at) {
      case 'opening':
        return waitingScreen(text.opening, '');
      case 'ready':
        this.#prejoin = new PrejoinView(state.invitation, this.#media, {
          join: (name) => void this.#join(name),
        });
        return this.#prejoin.element;
      case 'joining':
        return waitingScreen(
          state.from === 'link' ? text.joining : text.returning,
          text.allowDevices,
        );
      case 'waiting_room':
        return waitingScreen(text.waitingRoom, text.waitingRoomHint);
      case 'in_call':
        if (this.#consult.role === 'clinician') {
          this.#waitingBar = new WaitingBar(this.#address.consult);
        }
        this.#call = new CallView(
          this.#consult,
          this.#chatLog,
          this.#clock,
          this.#roomLabel,
          this.#waitingBar?.element ?? null,
        );
        return this.#call.element;
      case 'left':
        return leftScreen(() => void this.#rejoin(), this.#address.consult !== null);
      case 'failed':
        return failureScreen(state.code, {
          retry: () => this.#retry(),
          rejoin: () => void this.#rejoin(),
        });
    }
  }
}

async function devicesAreGranted(): Promise<boolean> {
  const states = await Promise.all([permissionOf('camera'), permissionOf('microphone')]);
  return states.every((state) => state === 'granted');
}

// LiveKit's logs name rooms, participants and URLs; none of that belongs in a console.
setLogLevel(LogLevel.silent);
document.documentElement.lang = text.language;
const app = document.getElementById('app')!;
if (location.pathname === '/clinic') void new Clinic().start(app);
else new Page().start(app);
