// The workforce logs in with a real OpenID provider, and a consult outlives a locked screen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, openLink, received, report, scenario, seesAndHears, sleep, startChromium } from './harness.mjs';
import { joinConsult, logIn, startWithProvider } from './oidc.mjs';

async function newPage(browser) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  return page;
}

const trouble = (page) =>
  page.$eval('[data-testid=login-trouble]', (panel) => panel.dataset.code);
const me = (page) => page.evaluate(() => fetch('/api/me').then((answer) => answer.json()));
const troubled = async (page, code) =>
  eventually(`the page says ${code}`, async () => (await trouble(page).catch(() => null)) === code);

test('a real provider: good log-ins, bad ones, rotation, absence, back-channel logout', () =>
  scenario(() => startWithProvider(), async (server, launch) => {
    const browser = await launch(startChromium);
    const callbacks = [];
    const page = await newPage(browser);
    page.on('request', (request) => {
      if (request.url().includes('/oidc/callback')) callbacks.push(request.url());
    });
    await page.goto(`${server.base}/login`);
    assert.equal(new URL(page.url()).pathname, '/clinic');
    await page.waitForSelector('[data-testid=consults]');
    const ada = await me(page);
    assert.deepEqual([ada.kind, ada.roles, ada.locked], ['user', ['clinician'], false]);
    assert.ok(ada.stepped_up);

    // The way back, taken twice: the code and the state are used up.
    await page.goto(callbacks[0]);
    await troubled(page, 'login_unknown');
    assert.equal((await me(page)).kind, 'user', 'the session stays');

    await server.provider.person({ sub: 'bob', amr: ['pwd'] });
    await troubled(await logIn(server, browser), 'no_second_factor');
    await server.provider.person({ sub: 'carl', roles: ['cooks'] });
    await troubled(await logIn(server, browser), 'no_role');

    // Ends the provider's session; it tells Bedside by itself.
    await server.provider.person({ sub: 'ada' });
    await page.goto(`${server.provider.issuer}/session/end`);
    await Promise.all([
      page.waitForNavigation(),
      page.$eval('form', (form) => {
        const yes = document.createElement('input');
        Object.assign(yes, { type: 'hidden', name: 'logout', value: 'yes' });
        form.append(yes);
        form.submit();
      }),
    ]);
    await page.goto(`${server.base}/clinic`);
    await eventually('the session is over', async () => (await me(page)).kind === 'unknown');

    // Another key; Bedside asks for it when it sees it.
    await server.provider.stop();
    await server.provider.start();
    await sleep(5_000);
    const rotated = await logIn(server, browser);
    assert.equal(new URL(rotated.url()).pathname, '/clinic');

    // A log-in whose provider goes away before the code is exchanged.
    const away = await newPage(browser);
    await away.setRequestInterception(true);
    let held;
    away.on('request', (request) => {
      if (held === undefined && request.url().includes('/oidc/callback')) {
        held = request.url();
        return request.abort();
      }
      return request.continue();
    });
    await away.goto(`${server.base}/login`).catch(() => undefined);
    await server.provider.stop();
    await away.goto(held);
    await troubled(away, 'provider_unreachable');
    assert.equal((await me(away)).kind, 'unknown');
    assert.equal((await me(rotated)).kind, 'user', 'whoever is in stays in');
  }));

test('a clinician invites, the patient joins, and the consult outlives a locked screen', () =>
  scenario(() => startWithProvider(), async (server, launch) => {
    const browser = await launch(startChromium);
    const clinic = await logIn(server, browser);
    await clinic.waitForSelector('[data-testid=consult-label]');
    await clinic.type('[data-testid=consult-label]', 'Morning');
    await clinic.click('[data-testid=consult-open]');
    await (await clinic.waitForSelector('[data-testid=consult-invite]')).click();
    const field = await clinic.waitForSelector('[data-testid=invitation]');
    const link = await field.evaluate((input) => input.value);
    assert.ok(link.startsWith(`${server.base}/consult#`));

    const [patient] = await Promise.all([
      openLink(browser, link),
      admitWhoeverWaits(clinic),
      clinic.$eval('[data-testid=consult]', (row) => row.dataset.room).then((room) =>
        joinConsult(server, clinic, room)),
    ]);
    const call = (await clinic.browserContext().pages()).find((page) => page.url().includes('consult='));
    await seesAndHears(call);
    await seesAndHears(patient);

    const locked_ms = Date.now();
    await clinic.bringToFront();
    await clinic.click('[data-testid=lock-now]');
    await call.bringToFront();
    await call.waitForSelector('dialog[data-testid=lock][open]');
    report('locked', { after_ms: Date.now() - locked_ms });
    const reach = await call.evaluate(() => {
      const leave = document.querySelector('[data-testid=leave]').getBoundingClientRect();
      const at = document.elementFromPoint(leave.x + leave.width / 2, leave.y + leave.height / 2);
      return at.closest('dialog')?.dataset.testid;
    });
    assert.equal(reach, 'lock', 'the controls are out of reach');
    await call.keyboard.press('Escape');
    assert.ok(await call.$('dialog[data-testid=lock][open]'), 'Esc does not unlock');
    assert.equal((await me(call)).locked, true);
    const refused = await call.evaluate(() => fetch('/api/consults').then((answer) => answer.status));
    assert.equal(refused, 401);
    const before = [await received(call), await received(patient)];
    await sleep(2_000);
    const after = [await received(call), await received(patient)];
    after.forEach((now, side) => assert.ok(now.frames > before[side].frames + 10, 'media goes on'));

    // Somebody else does not unlock it, and the same person does.
    await server.provider.person({ sub: 'eve' });
    await unlock(call, async (window) => troubled(window, 'other_user'));
    assert.ok(await call.$('dialog[data-testid=lock][open]'));
    await server.provider.person({ sub: 'ada' });
    await unlock(call, () => undefined);
    await eventually('the screen is unlocked', async () => !(await call.$('dialog[data-testid=lock]')));
    await seesAndHears(patient);
  }));

/** Lets in who waits, where this server has a waiting room. */
async function admitWhoeverWaits(clinic) {
  const button = await clinic.waitForSelector('[data-testid=guest-admit]', { timeout: 15_000 }).catch(() => null);
  await button?.click();
}

/** Follows the cover's link into its window. */
async function unlock(call, check) {
  const opened = new Promise((resolve) => call.once('popup', resolve));
  await call.click('[data-testid=unlock]');
  const window = await opened;
  await eventually('the log-in has ended', async () =>
    window.isClosed() || (await window.$('[data-testid=login-trouble], [data-testid=unlocked]')) !== null,
  );
  await check(window);
  if (!window.isClosed()) await window.close();
}
