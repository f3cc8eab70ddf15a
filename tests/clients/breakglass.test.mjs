// An emergency entry from the form to its review, with the real processes and a real provider.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, openLink, report, scenario, seesAndHears, startChromium } from './harness.mjs';
import { joinConsult, logIn, openConsult, startWithProvider } from './oidc.mjs';

/** The shortest that the configuration allows, seconds. */
const LIMIT_S = 60;

test('a clinician who is not invited enters in an emergency, for a time, and that is reviewed', () =>
  scenario(() => startWithProvider(`[policy]\nbreak_glass_s = ${LIMIT_S}\n`), async (server, launch) => {
    const browser = await launch(startChromium);
    const clinic = await logIn(server, browser);
    const { room, link } = await openConsult(clinic);
    const [call, patient] = await Promise.all([
      joinConsult(server, clinic, room),
      openLink(browser, link),
    ]);
    await Promise.all([seesAndHears(call), seesAndHears(patient)]);

    await server.provider.person({ sub: 'bob', name: 'Bob' });
    const colleague = await logIn(server, browser);
    const look = () => colleague.evaluate((consult) =>
      fetch(`/api/consults/${consult}`).then((answer) => answer.status), room);
    assert.equal(await look(), 403, 'it is not their consult');
    await (await colleague.waitForSelector('[data-testid=emergency-form] summary')).click();
    await colleague.type('[data-testid=emergency-room]', room);
    await colleague.select('[data-testid=emergency-reason]', 'patient_unresponsive');
    await colleague.type('[data-testid=emergency-words]', 'The ward saw the patient fall');
    await Promise.all([
      colleague.waitForNavigation(),
      colleague.click('[data-testid=emergency-enter]'),
    ]);
    const entered = Date.now();
    await (await colleague.waitForSelector('[data-testid=prejoin-join]:not([disabled])')).click();
    await seesAndHears(colleague);
    // Whoever is in the consult is told.
    await patient.waitForSelector('[data-testid=emergency]:not([hidden])');

    // The alert, and what is to be reviewed.
    await eventually('the operator is warned', () =>
      server.control.log.includes('a clinician entered a consult in an emergency'));
    const open = async () =>
      JSON.parse(await server.cli('breakglass', 'list', '--open', '--json'));
    const [entry] = await open();
    assert.deepEqual([entry.room, entry.reason], [room, 'patient_unresponsive']);
    assert.match(await server.cli('status'), /1 to be reviewed/);
    const [record] = await server.records('access.breakglass');
    assert.deepEqual(
      [record.reason, record.purpose, record.facts.step, record.actor.authn.method],
      ['patient_unresponsive', 'ETREAT', 'entered', 'session'],
    );
    assert.ok(!JSON.stringify(record).includes('fall'), 'the words are sealed');

    // It ends by itself, and what it gave with it; the consult goes on.
    await eventually(
      'the clinician is sent away',
      () => colleague.evaluate(() => globalThis.bedside.room.state === 'disconnected'),
      LIMIT_S * 1_000 + 20_000,
    );
    report('the entry ended', { after_ms: Date.now() - entered, limit_s: LIMIT_S });
    assert.equal(await look(), 403);
    await seesAndHears(patient);
    const ended = (await server.records('access.breakglass')).at(-1);
    assert.deepEqual([ended.facts.step, ended.reason], ['ended', 'time_over']);

    const review = ['breakglass', 'review', entry.entry, '--finding', 'justified'];
    await server.cli(...review, '--words', 'Seen with the ward');
    assert.deepEqual(await open(), []);
    await assert.rejects(server.cli(...review), /reviewed already/);
    const [reviewed] = await server.records('access.breakglass_review');
    assert.deepEqual([reviewed.reason, reviewed.object.id], ['justified', entry.entry]);
  }));
