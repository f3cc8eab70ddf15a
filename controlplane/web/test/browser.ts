/** Drives a real Chromium for the tests that need one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { launch, type Browser, type Page } from 'puppeteer-core';
import { servePage, type PageServer } from './page-server';

/** Where distributions put Chromium; the first that exists is used. */
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser to use, or why there is none. */
export const chromium = CHROMIUM.find((path) => existsSync(path));

/** Given to a test's `skip`: `false` when a browser is there, else what to install. */
export const withoutBrowser =
  chromium === undefined ? 'Chromium is not installed: apt-get install chromium' : false;

/** A join link's token; the page server knows no other. */
export const LINK = 'c29tZS1saW5rLXRva2Vu';

export const INVITATION = {
  role: 'patient',
  room_label: 'Follow-up visit',
  display_name: null,
  expires_at: 4_102_444_800,
  consumed: false,
} as const;

/** A page server, a browser with fake devices, and pages whose complaints are collected. */
export class Bench {
  private constructor(
    readonly server: PageServer,
    readonly browser: Browser,
  ) {}

  static async open(): Promise<Bench> {
    const server = await servePage(join(process.cwd(), 'dist'));
    const browser = await launch({
      executablePath: chromium!,
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
      ],
    });
    return new Bench(server, browser);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.close();
  }

  /** A page of its own profile: no permission, no storage, no cookie of another test. */
  async page(width = 1280, height = 800): Promise<WatchedPage> {
    const context = await this.browser.createBrowserContext();
    const page = await context.newPage();
    await page.setViewport({ width, height });
    const complaints: string[] = [];
    const foreign: string[] = [];
    page.on('console', (line) => {
      // Chromium itself reports a request that the server refuses; the page writes nothing.
      const refused = line.text().startsWith('Failed to load resource: the server responded');
      if (!refused) complaints.push(`${line.type()}: ${line.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`error: ${String(error)}`));
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== 'data:' && protocol !== 'blob:' && origin !== this.server.url) {
        foreign.push(request.url());
      }
    });
    return { page, complaints, foreign };
  }

  /** Opens the page on a join link. */
  async visit(page: Page, query = ''): Promise<void> {
    await page.goto(`${this.server.url}/consult${query}#${LINK}`);
  }

  /**
   * Leads a page into a call with simulated people: LiveKit's own client makes them up, so that
   * the call's screen can be judged without a media server.
   */
  async call(page: Page, others: number): Promise<void> {
    this.server.answers.set('/api/link', {
      status: 200,
      body: { ...INVITATION, display_name: 'Sample Person' },
    });
    this.server.answers.set('/api/join', 'never');
    await this.visit(page, '?autojoin=1');
    await page.waitForSelector('[data-testid=waiting]');
    await page.waitForFunction(() => window.bedside.timings.joinClickMs !== null);
    await page.evaluate(async (count) => {
      // The simulation makes receivers with `new`, which browsers do not allow.
      class Receiver {
        getSynchronizationSources(): [] {
          return [];
        }
        getStats(): Promise<Map<string, never>> {
          return Promise.resolve(new Map<string, never>());
        }
      }
      Object.defineProperty(window, 'RTCRtpReceiver', { value: Receiver });
      await window.bedside.room.simulateParticipants({
        publish: { audio: true, video: true, useRealTracks: true },
        participants: { count: count + 1, audio: true, video: true },
      });
    }, others);
    // Draws once more: the simulation adds tracks without telling.
    await emit(page, 'activeSpeakersChanged');
    await page.waitForFunction(
      (count) => document.querySelectorAll('[data-testid=tile]').length === count,
      {},
      others + 1,
    );
  }
}

export interface WatchedPage {
  readonly page: Page;
  /** Console lines, uncaught errors and violations of the Content-Security-Policy. */
  readonly complaints: string[];
  /** Requests to anyone but the page's own server. */
  readonly foreign: string[];
}

/** Lets the page's room say that something happened, as LiveKit's client would. */
export async function emit(
  page: Page,
  event: 'activeSpeakersChanged' | 'reconnecting' | 'reconnected' | 'disconnected',
): Promise<void> {
  await page.evaluate((name) => {
    const room: { emit(event: string, ...parts: unknown[]): boolean } = window.bedside.room;
    room.emit(name, ...(name === 'activeSpeakersChanged' ? [[]] : []));
  }, event);
}
