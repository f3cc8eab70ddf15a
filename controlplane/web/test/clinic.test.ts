import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import type { AxeResults } from 'axe-core';
import type { Page } from 'puppeteer-core';
import { Bench, withoutBrowser } from './browser';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const ME = { kind: 'user', id: 'U_1', roles: ['clinician'], locked: false, idle_s: 900, login: true };
const CONSULT = { room: 'consult-1', label: 'Morning', opened_at: 1_700_000_000, participants: 1 };

describe('the clinic page in Chromium', { skip: withoutBrowser }, () => {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open();
  });
  after(() => bench.close());

  const answer = (path: string, body: unknown, status = 200) =>
    bench.server.answers.set(path, { status, body });

  function loggedIn(): void {
    answer('/api/me', ME);
    answer('/api/session/activity', ME);
    answer('/api/session/lock', {});
    answer('/api/consults', [CONSULT]);
    answer('/api/waiting', {
      version: 1,
      waiting: [{ identity: 'patient_1', name: 'Sample Person', since_s: 0 }],
    });
    answer('/api/consults/consult-1/links', { link: 'https://clinic.example/consult#token' });
  }

  async function visit(page: Page): Promise<void> {
    await page.goto(`${bench.server.url}/clinic`);
  }

  test('whoever is not logged in is led to the log-in', async () => {
    answer('/api/me', { kind: 'unknown', roles: [], locked: false, login: true });
    const { page, complaints, foreign } = await bench.page();
    await visit(page);
    const link = await page.waitForSelector('[data-testid=log-in]');
    assert.equal(await link!.evaluate((a) => a.getAttribute('href')), '/login');
    assert.deepEqual([complaints, foreign], [[], []]);
    answer('/api/me', { kind: 'unknown', roles: [], locked: false, login: false });
    await visit(page);
    await page.waitForSelector('[data-testid=login]');
    assert.equal(await page.$('[data-testid=log-in]'), null);
  });

  test('consults, an invitation to copy, and who waits are shown', async () => {
    loggedIn();
    const { page, complaints, foreign } = await bench.page();
    await visit(page);
    await page.waitForSelector('[data-testid=guest-admit]');
    assert.match(await page.$eval('[data-testid=consult]', (row) => row.textContent), /Morning/);
    await page.click('[data-testid=consult-invite]');
    const field = await page.waitForSelector('[data-testid=invitation]');
    assert.match(await field!.evaluate((input) => (input as HTMLInputElement).value), /#token$/);
    assert.deepEqual([complaints, foreign], [[], []]);
    await accessible(page);
  });

  test('an emergency entry needs a reason and fresh factors, and says that it is reviewed', async () => {
    loggedIn();
    answer('/api/breakglass', { entry: 'BG_1' });
    answer('/api/consults/ward', { role: 'clinician', room_label: '', display_name: 'Ada' });
    const { page, complaints, foreign } = await bench.page();
    await visit(page);
    const form = await page.waitForSelector('[data-testid=emergency-form]');
    assert.equal(await form!.evaluate((details) => (details as HTMLDetailsElement).open), false);
    await page.click('[data-testid=emergency-form] summary');
    const notice = await page.$eval('[data-testid=emergency-notice]', (text) => text.textContent);
    assert.match(notice, /recorded/);
    assert.match(notice, /reviews/);
    await accessible(page);

    const entered = () => bench.server.requests.filter((path) => path === '/api/breakglass').length;
    const before = entered();
    const enter = () => page.click('[data-testid=emergency-enter]');
    await page.type('[data-testid=emergency-room]', 'ward');
    await enter();
    await page.select('[data-testid=emergency-reason]', 'threat_to_life');
    await enter();
    await page.type('[data-testid=emergency-words]', 'no answer from the ward');
    await enter();
    await page.waitForSelector('[data-testid=emergency-factors]', { visible: true });
    assert.equal(entered(), before, 'nothing is asked for without reason, words and factors');

    answer('/api/me', { ...ME, stepped_up: true });
    await Promise.all([page.waitForNavigation(), enter()]);
    assert.equal(entered(), before + 1);
    assert.equal(new URL(page.url()).pathname, '/consult');
    await page.waitForSelector('[data-testid=prejoin-join]');
    assert.ok(bench.server.requests.includes('/api/consults/ward'));
    assert.deepEqual([complaints, foreign], [[], []]);
  });

  test('a locked page shows and obeys nothing until the same person is back', async () => {
    loggedIn();
    const { page, complaints } = await bench.page();
    await visit(page);
    await page.waitForSelector('[data-testid=consult]');
    answer('/api/me', { ...ME, locked: true, roles: [] });
    answer('/api/session/activity', { ...ME, locked: true, roles: [] });
    await page.click('[data-testid=lock-now]');
    await page.waitForSelector('dialog[data-testid=lock][open]');
    for (let press = 0; press < 3; press += 1) await page.keyboard.press('Escape');
    assert.ok(await page.$('dialog[data-testid=lock][open]'));
    const seen = await page.evaluate(() => ({
      at: document.elementFromPoint(40, 40)!.closest('dialog')?.dataset['testid'],
      visible: document.querySelector('[data-testid=consult]')!.checkVisibility({
        visibilityProperty: true,
      }),
    }));
    assert.deepEqual(seen, { at: 'lock', visible: false });
    await accessible(page);

    // Somebody else's session does not uncover it.
    answer('/api/me', { ...ME, id: 'U_2' });
    const asked = bench.server.requests.length;
    const unlock = () => page.evaluate(() => new BroadcastChannel('bedside.session').postMessage(''));
    await unlock();
    await page.waitForFunction(() => performance.now() > 0);
    while (!bench.server.requests.slice(asked).includes('/api/me')) await unlock();
    assert.ok(await page.$('dialog[data-testid=lock][open]'));
    answer('/api/me', ME);
    await unlock();
    await page.waitForFunction(() => document.querySelector('dialog[data-testid=lock]') === null);
    assert.deepEqual(complaints, []);
  });

  test('a page that the server locks while nobody looks is covered', async () => {
    loggedIn();
    const { page } = await bench.page();
    await visit(page);
    await page.waitForSelector('[data-testid=consult]');
    answer('/api/me', { ...ME, locked: true, roles: [] });
    await page.evaluate(() => new BroadcastChannel('bedside.session').postMessage(''));
    await page.waitForSelector('dialog[data-testid=lock][open]');
  });

  async function accessible(page: Page): Promise<void> {
    await page.evaluate(axe);
    const results = await page.evaluate(
      () => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    const found = results.violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`);
    assert.deepEqual(found, []);
  }
});
