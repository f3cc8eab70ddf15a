// Two people follow their links in Chromium, through the page, and see and hear each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually, openLink, received, report, scenario, seesAndHears, startChromium, startDemo,
} from './harness.mjs';

test('a patient and a clinician see and hear each other through the page', () =>
  scenario(startDemo, async (server, launch) => {
    const browser = await launch(startChromium);
    const clinician = await openLink(browser, server.info.clinician_link);
    const patient = await openLink(browser, server.info.patient_link, { autojoin: false, name: 'Pat' });
    for (const [who, page] of [['clinician', clinician], ['patient', patient]]) {
      const figures = await seesAndHears(page);
      assert.match(figures.srtp, /AEAD/, 'media is sealed with an AEAD');
      assert.ok(['FEFD', 'FEFC'].includes(figures.tls), `DTLS 1.2 or 1.3, not ${figures.tls}`);
      const timings = await page.evaluate(() => globalThis.bedside.timings);
      report(who, { ...figures, ...timings });
    }
    if (process.env.BEDSIDE_SCREENSHOT) {
      await clinician.screenshot({ path: process.env.BEDSIDE_SCREENSHOT });
    }

    await patient.click('[data-testid=mic-toggle]');
    const remote = (page, kind) =>
      page.evaluate(
        (k) => [...globalThis.bedside.room.remoteParticipants.values()]
          .flatMap((p) => [...p.trackPublications.values()])
          .find((t) => t.kind === k)?.isMuted,
        kind,
      );
    await eventually('the mute is seen', () => remote(clinician, 'audio'));

    await patient.click('[data-testid=chat-toggle]');
    await patient.type('[data-testid=chat-input]', 'Good morning');
    await patient.keyboard.press('Enter');
    await eventually('the chat message is read', async () => {
      const text = await clinician.evaluate(() => document.body.textContent);
      return text.includes('Good morning');
    });

    await patient.click('[data-testid=leave]');
    await eventually('the patient is gone', () =>
      clinician.evaluate(() => globalThis.bedside.room.remoteParticipants.size === 0),
    );
    const last = await received(clinician);
    assert.equal(last.video_lost, 0, 'nothing is lost on this machine');
  }));

test('a used link says so', () =>
  scenario(startDemo, async (server, launch) => {
    const browser = await launch(startChromium);
    await openLink(browser, server.info.patient_link);
    const context = await browser.createBrowserContext();
    const second = await context.newPage();
    const url = new URL(server.info.patient_link);
    url.searchParams.set('autojoin', '1');
    await second.goto(url.href);
    const panel = await second.waitForSelector('[data-testid=error-panel]', { visible: true });
    assert.equal(await panel.evaluate((element) => element.dataset.code), 'link_used');
  }));
