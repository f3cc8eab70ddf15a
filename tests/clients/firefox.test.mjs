// Chromium with Firefox ESR, through the page.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  openLink, report, scenario, seesAndHears, startChromium, startDemo, startFirefox,
} from './harness.mjs';

test('Chromium and Firefox see and hear each other', () =>
  scenario(startDemo, async (server, launch) => {
    const chromium = await launch(startChromium);
    const firefox = await launch(startFirefox);
    const clinician = await openLink(firefox, server.info.clinician_link);
    const patient = await openLink(chromium, server.info.patient_link);
    const atChromium = await seesAndHears(patient);
    assert.match(atChromium.srtp, /AEAD/);
    report('Chromium', atChromium);
    report('Firefox', await seesAndHears(clinician, { within_ms: 30_000 }));
  }));
