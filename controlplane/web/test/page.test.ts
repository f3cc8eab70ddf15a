import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import { Bench, emit, INVITATION, LINK, withoutBrowser } from './browser';

describe('the page in Chromium', { skip: withoutBrowser }, () => {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open();
  });
  after(() => bench.close());

  test('a link opens the pre-join screen, leaves the address bar, and is not consumed', async () => {
    bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
    bench.server.requests.length = 0;
    const { page, complaints, foreign } = await bench.page();
    await bench.visit(page);
    await page.waitForSelector('[data-testid=prejoin-join]');
    assert.equal(page.url(), `${bench.server.url}/consult`);
    assert.ok(!bench.server.requests.some((path) => path.includes(LINK)));
    assert.ok(!bench.server.requests.includes('/api/join'));
    await page.waitForFunction(() => window.bedside.timings.pageReadyMs !== null);
    assert.deepEqual(complaints, []);
    assert.deepEqual(foreign, []);
  });

  test('a patient without a name is asked for one before joining', async () => {
    bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
    const { page } = await bench.page();
    await bench.visit(page);
    await page.waitForSelector('[data-testid=prejoin-join]');
    await page.click('[data-testid=prejoin-join]');
    assert.equal(
      await page.$eval('[data-testid=name-input]', (input) => input.ariaInvalid),
      'true',
    );
    bench.server.answers.set('/api/join', 'never');
    await page.type('[data-testid=name-input]', 'Sample Person');
    await page.click('[data-testid=prejoin-join]');
    await page.waitForSelector('[data-testid=waiting]');
  });

  test('joining twice uses the link once', async () => {
    bench.server.answers.set('/api/link', {
      status: 200,
      body: { ...INVITATION, display_name: 'Sample Person' },
    });
    bench.server.answers.set('/api/join', 'never');
    const { page } = await bench.page();
    // The browser would ask, so that the devices open after the first press, and before the join.
    await page.evaluateOnNewDocument(() => {
      navigator.permissions.query = () => Promise.resolve({ state: 'prompt' } as PermissionStatus);
    });
    await bench.visit(page);
    await page.waitForSelector('[data-testid=prejoin-join]');
    bench.server.requests.length = 0;
    await page.$eval('[data-testid=prejoin-join]', (button) => {
      (button as HTMLElement).click();
      (button as HTMLElement).click();
    });
    await page.waitForSelector('[data-testid=waiting]');
    await page.waitForFunction(() => window.bedside.timings.joinClickMs !== null);
    // A request of the page's own comes after any second join that it may have sent.
    await page.evaluate(() => fetch('/consult'));
    const joins = bench.server.requests.filter((path) => path === '/api/join');
    assert.equal(joins.length, 1);
  });

  test('the camera is previewed, and can be turned off and on', async () => {
    bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
    const { page } = await bench.page();
    await bench.visit(page);
    await openDevices(page);
    await page.waitForFunction(
      () => (document.querySelector('.preview video') as HTMLVideoElement).videoWidth > 0,
    );
    await page.waitForFunction(
      () =>
        (document.querySelector('[data-testid=camera-select]') as HTMLSelectElement).value !== '',
    );
    await page.click('[data-testid=camera-toggle]');
    await page.waitForSelector('.preview video', { hidden: true });
    await page.click('[data-testid=camera-toggle]');
    await page.waitForSelector('.preview video', { visible: true });
  });

  const refusals: [number, string][] = [
    [410, 'link_expired'],
    [409, 'link_used'],
    [404, 'link_unknown'],
    [429, 'rate_limited'],
    [503, 'server_unavailable'],
  ];
  for (const [status, error] of refusals) {
    test(`${error} has a screen of its own`, async () => {
      bench.server.answers.set('/api/link', { status, body: { error, message: 'x' } });
      const { page, complaints } = await bench.page();
      await bench.visit(page);
      assert.equal(await failureCode(page), error);
      assert.deepEqual(complaints, []);
    });
  }

  test('a page without a link says so, and does not ask for a camera', async () => {
    const { page } = await bench.page();
    await page.goto(`${bench.server.url}/`);
    assert.equal(await failureCode(page), 'link_missing');
  });

  const refusedDevices: [string, string][] = [
    ['NotAllowedError', 'permission_denied'],
    ['NotFoundError', 'no_camera'],
    ['NotReadableError', 'device_in_use'],
  ];
  for (const [name, code] of refusedDevices) {
    test(`${name} from the camera is explained, and joining still works`, async () => {
      bench.server.answers.set('/api/link', {
        status: 200,
        body: { ...INVITATION, display_name: 'Sample Person' },
      });
      bench.server.answers.set('/api/join', 'never');
      const { page } = await bench.page();
      await page.evaluateOnNewDocument((errorName) => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', errorName));
      }, name);
      await bench.visit(page);
      await openDevices(page);
      assert.equal(await failureCode(page), code);
      await page.click('[data-testid=prejoin-join]');
      await page.waitForSelector('[data-testid=waiting]');
    });
  }

  test('a camera that fails alone does not take the microphone with it', async () => {
    bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
    const { page } = await bench.page();
    await page.evaluateOnNewDocument(() => {
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (wanted) =>
        wanted?.video ? Promise.reject(new DOMException('', 'NotReadableError')) : open(wanted);
    });
    await bench.visit(page);
    await openDevices(page);
    assert.equal(await failureCode(page), 'device_in_use');
    await page.waitForFunction(() =>
      document.querySelector('.outcome')?.textContent?.includes('with your microphone'),
    );
  });

  test('a WebSocket that cannot be opened is blamed on the network', async () => {
    bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
    bench.server.answers.set('/api/join', {
      status: 200,
      // Port 9 (discard) is on the list of ports that browsers refuse.
      body: { url: 'wss://127.0.0.1:9', token: 'x', identity: 'patient', role: 'patient' },
    });
    const { page } = await bench.page();
    await bench.visit(page, '?autojoin=1');
    assert.equal(await failureCode(page), 'network_signal');
    await page.waitForSelector('[data-testid=failure-retry]');
  });

  test('in a call: tiles, chat, shortcuts, leaving, and coming back', async () => {
    const { page, complaints, foreign } = await bench.page();
    await bench.call(page, 2);
    const identities = await page.$$eval('[data-testid=tile]', (tiles) =>
      tiles.map((tile) => (tile as HTMLElement).dataset['identity']),
    );
    assert.deepEqual(identities, ['simulated-0', 'simulated-1', 'simulated-local']);
    await page.waitForFunction(() => window.bedside.timings.firstRemoteVideoMs !== null);

    assert.equal(await page.$eval('[data-testid=mic-toggle]', pressed), 'true');
    await page.keyboard.press('m');
    await page.waitForSelector('[data-testid=mic-toggle][data-on=false]');

    await page.keyboard.press('c');
    await page.waitForSelector('[data-testid=chat-input]', { visible: true });
    await page.keyboard.type('m and c are letters here');
    const typed = await page.$eval(
      '[data-testid=chat-input]',
      (field) => (field as HTMLTextAreaElement).value,
    );
    assert.equal(typed, 'm and c are letters here');
    await page.keyboard.press('Escape');
    await page.waitForSelector('[data-testid=chat-input]', { hidden: true });

    await emit(page, 'reconnecting');
    await page.waitForSelector('[data-testid=reconnecting]', { visible: true });
    await emit(page, 'reconnected');
    await page.waitForSelector('[data-testid=reconnecting]', { hidden: true });

    await page.click('[data-testid=leave]');
    await page.waitForSelector('[data-testid=left]');
    await page.reload();
    await page.waitForSelector('[data-testid=left]');
    bench.server.answers.set('/api/join', {
      status: 401,
      body: { error: 'session_ended', message: 'x' },
    });
    await page.click('[data-testid=rejoin]');
    assert.equal(await failureCode(page), 'session_ended');
    assert.deepEqual(complaints, []);
    assert.deepEqual(foreign, []);
  });

  test('a reload during a call leads back into it', async () => {
    const { page } = await bench.page();
    await bench.call(page, 1);
    bench.server.requests.length = 0;
    await page.reload();
    await page.waitForSelector('[data-testid=waiting]');
    await page.waitForFunction(() => window.bedside.timings.joinClickMs !== null);
    assert.deepEqual(
      bench.server.requests.filter((path) => path.startsWith('/api/')).sort(),
      // The page that went reported what it had.
      ['/api/join', '/api/statistics'],
    );
  });

  test('a connection that is lost for good offers the way back', async () => {
    const { page } = await bench.page();
    await bench.call(page, 1);
    await emit(page, 'disconnected');
    assert.equal(await failureCode(page), 'connection_lost');
    bench.server.answers.set('/api/join', 'never');
    await page.click('[data-testid=failure-rejoin]');
    await page.waitForSelector('[data-testid=waiting]');
  });

  test('nothing can be changed through window.bedside', async () => {
    bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
    const { page } = await bench.page();
    await bench.visit(page);
    await page.waitForSelector('[data-testid=prejoin-join]');
    const held = await page.evaluate(() => {
      const attempts = [
        () => Reflect.set(window, 'bedside', null),
        () => Reflect.set(window.bedside, 'room', null),
        () => Reflect.set(window.bedside.timings, 'pageReadyMs', 0),
      ];
      return attempts.map((attempt) => attempt());
    });
    assert.deepEqual(held, [false, false, false]);
  });
});

/** Opens camera and microphone, by the page's own button where the browser would ask first. */
async function openDevices(page: Page): Promise<void> {
  await page.waitForSelector('[data-testid=prejoin-join]');
  await page.$eval('[data-testid=prejoin-ask]', (button) => {
    if ((button as HTMLElement).offsetParent !== null) (button as HTMLElement).click();
  });
}

async function failureCode(page: Page): Promise<string | null> {
  const panel = await page.waitForSelector('[data-testid=error-panel]');
  return panel!.evaluate((element) => element.getAttribute('data-code'));
}

function pressed(button: Element): string | null {
  return button.getAttribute('data-on');
}
