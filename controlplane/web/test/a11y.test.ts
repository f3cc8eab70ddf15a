import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import type { AxeResults } from 'axe-core';
import type { Page } from 'puppeteer-core';
import { Bench, emit, INVITATION, withoutBrowser } from './browser';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WINDOWS: [number, number][] = [
  [1280, 800],
  [390, 844],
  [320, 568],
  // 1280 x 800 at a zoom of 200 % and 400 %.
  [640, 400],
  [320, 200],
];

describe('accessibility in Chromium', { skip: withoutBrowser }, () => {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open();
  });
  after(() => bench.close());

  const screens: [string, (page: Page) => Promise<unknown>][] = [
    [
      'pre-join before permission',
      async (page) => {
        // Holds the browser's prompt open, so that the explanation stays.
        await page.evaluateOnNewDocument(() => {
          navigator.permissions.query = () =>
            Promise.resolve({ state: 'prompt' } as PermissionStatus);
        });
        bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
        await bench.visit(page);
        await page.waitForSelector('[data-testid=prejoin-ask]', { visible: true });
      },
    ],
    [
      'pre-join with a device failure',
      async (page) => {
        await page.evaluateOnNewDocument(() => {
          navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException('', 'NotFoundError'));
        });
        bench.server.answers.set('/api/link', { status: 200, body: INVITATION });
        await bench.visit(page);
        await page.waitForSelector('[data-testid=prejoin-join]');
        await page.$eval('[data-testid=prejoin-ask]', (button) => (button as HTMLElement).click());
        await page.waitForSelector('[data-testid=error-panel]');
        await page.click('[data-testid=prejoin-join]');
      },
    ],
    [
      'failure',
      async (page) => {
        await page.goto(`${bench.server.url}/`);
        await page.waitForSelector('[data-testid=error-panel]');
      },
    ],
    ['call of two', (page) => bench.call(page, 1)],
    ['call of nine', (page) => bench.call(page, 8)],
    [
      'call with chat',
      async (page) => {
        await bench.call(page, 1);
        await page.click('[data-testid=chat-toggle]');
        await page.waitForSelector('[data-testid=chat-input]', { visible: true });
      },
    ],
    [
      'call with the devices dialog',
      async (page) => {
        await bench.call(page, 1);
        await page.click('[data-testid=devices]');
        await page.waitForSelector('dialog [data-testid=camera-select]');
      },
    ],
    [
      'call with the help dialog',
      async (page) => {
        await bench.call(page, 1);
        await page.click('[data-testid=help]');
        await page.waitForSelector('dialog table');
      },
    ],
    [
      'call with a failure and a lost connection',
      async (page) => {
        await bench.call(page, 1);
        await emit(page, 'reconnecting');
        await page.waitForSelector('[data-testid=reconnecting]');
      },
    ],
    [
      'after leaving',
      async (page) => {
        await bench.call(page, 1);
        await page.click('[data-testid=leave]');
        await page.waitForSelector('[data-testid=left]');
      },
    ],
  ];

  for (const [name, show] of screens) {
    test(`${name}: WCAG 2.2 AA, in both colour schemes and all sizes`, async () => {
      const { page } = await bench.page();
      await show(page);
      // The policy of the page forbids injected scripts; the debugger's own evaluation is exempt.
      await page.evaluate(axe);
      for (const scheme of ['light', 'dark']) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        for (const [width, height] of WINDOWS) {
          await page.setViewport({ width, height });
          const place = `${name}, ${scheme}, ${width} x ${height}`;
          assert.deepEqual(await violations(page), [], place);
          assert.deepEqual(await sideways(page), [], `${place}: nothing sticks out`);
          assert.deepEqual(await smallTargets(page), [], `${place}: targets of 44 px`);
        }
      }
    });
  }

  test('a call can be run by keyboard alone, and the focus is always seen', async () => {
    const { page } = await bench.page();
    await bench.call(page, 1);
    const reached: string[] = [];
    for (let count = 0; count < 12; count += 1) {
      await page.keyboard.press('Tab');
      const focused = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const outline = getComputedStyle(element).outlineStyle;
        return { id: element.dataset['testid'] ?? element.tagName, outline };
      });
      if (focused.id !== 'BODY') assert.equal(focused.outline, 'solid', focused.id);
      reached.push(focused.id);
    }
    for (const id of [
      'help',
      'mic-toggle',
      'camera-toggle',
      'share-toggle',
      'chat-toggle',
      'devices',
      'leave',
    ]) {
      assert.ok(reached.includes(id), `${id} is reached by Tab: ${reached.join(' ')}`);
    }
  });

  test('a dialog keeps the focus and gives it back', async () => {
    const { page } = await bench.page();
    await bench.call(page, 1);
    await page.focus('[data-testid=devices]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    assert.equal(
      await page.evaluate(() => document.activeElement?.closest('dialog') !== null),
      true,
    );
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', { hidden: true });
    assert.equal(
      await page.evaluate(() => (document.activeElement as HTMLElement).dataset['testid']),
      'devices',
    );
  });

  test('single-key shortcuts can be turned off', async () => {
    const { page } = await bench.page();
    await bench.call(page, 1);
    await page.keyboard.press('?');
    await page.waitForSelector('dialog input[type=checkbox]');
    await page.click('dialog input[type=checkbox]');
    await page.click('[data-testid=dialog-close]');
    await page.waitForSelector('dialog', { hidden: true });
    await page.keyboard.press('c');
    assert.equal(
      await page.$eval('[data-testid=chat-toggle]', (button) => button.ariaExpanded),
      'false',
    );
  });

  test('without motion where the person asks for none', async () => {
    const { page } = await bench.page();
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
    bench.server.answers.set('/api/link', 'never');
    await bench.visit(page);
    await page.waitForSelector('.spinner');
    const duration = await page.$eval('.spinner', (spinner) =>
      Number.parseFloat(getComputedStyle(spinner).animationDuration),
    );
    assert.ok(duration < 0.001, String(duration));
  });
});

/** What axe-core finds against WCAG 2.2 A and AA. */
async function violations(page: Page): Promise<string[]> {
  const results = (await page.evaluate(async () => {
    const { axe: runner } = window as unknown as { axe: typeof import('axe-core') };
    return runner.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
  })) as AxeResults;
  return results.violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`,
  );
}

/** Elements that make the page scroll sideways (WCAG 2.2, 1.4.10). */
async function sideways(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => `${element.tagName}.${element.className}`);
  });
}

/** Buttons and fields that are smaller than a fingertip. */
async function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('button, select, textarea, input, label.check')]
      // The label around a check box is its target.
      .filter((element) => element.closest('label.check') === null || element.tagName === 'LABEL')
      .map((element) => [element, element.getBoundingClientRect()] as const)
      .filter(([, box]) => box.width > 0 && (box.width < 44 || box.height < 44))
      .map(([element, box]) => `${element.outerHTML.slice(0, 80)} ${box.width} x ${box.height}`),
  );
}
