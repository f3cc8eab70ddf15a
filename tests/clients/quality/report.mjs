// What people read: lines on the terminal, a page with plots that needs nothing else.

import { thirds } from './rows.mjs';

const number = (value) => (value === null || value === undefined ? '-' : value.toFixed(Math.abs(value) < 10 ? 2 : 0));
const columns = (condition, leg, figure, measured, goal, verdict) =>
  `${condition.padEnd(34)} ${leg.padEnd(9)} ${figure.padEnd(46)} ${measured.padStart(14)}  ${goal.padEnd(16)} ${verdict}`;

const measured = (goal) => (goal.measured === null ? 'not shown' : `${number(goal.measured)} ${goal.unit}`);
const bound = (goal) => `${goal.relation} ${goal.bound} ${goal.unit}`;
const short = (run) => (run.title.length > 33 ? run.row : run.title);

export const line = {
  header: columns('condition', 'leg', 'figure', 'measured', 'goal', ''),
  baseline: ({ audio_ms: audio }) =>
    `Chromium to itself, no server: one-way audio p50 ${number(audio.p50)} ms, p99 ${number(audio.p99)} ms ` +
    `(${audio.bursts} bursts)`,
  goal: (run, goal) =>
    columns(short(run), run.leg, goal.figure, measured(goal), bound(goal), goal.met ? 'met' : 'MISSED'),
  warning: (run, warning) => `  in doubt: ${run.row}, ${run.leg}: ${warning}`,
};

const escape = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/** The whole report. */
export function html(report) {
  const goals = report.runs.flatMap((run) => run.goals.map((goal) => ({ run, goal })));
  const rows = goals.map(
    ({ run, goal }) =>
      `<tr class="${goal.met ? 'met' : 'missed'}"><td>${escape(run.title)}</td><td>${escape(run.leg)}</td>` +
      `<td>${escape(goal.figure)}</td><td>${escape(measured(goal))}</td><td>${escape(bound(goal))}</td>` +
      `<td>${goal.met ? 'met' : 'missed'}</td></tr>`,
  );
  const { audio_ms: audio } = report.baseline;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Picture and sound on bad networks</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .6rem; text-align: left; border-bottom: 1px solid #8886; }
td:nth-child(4) { text-align: right; font-variant-numeric: tabular-nums; }
.missed td:last-child { color: #c33; font-weight: bold; } .met td:last-child { color: #284; }
td:nth-child(n + 4) { white-space: nowrap; }
svg { display: block; width: 100%; height: auto; margin: .5rem 0; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.grid { stroke: #8884; } .goal { stroke: #c33; stroke-dasharray: 5 4; } .event { stroke: #8888; stroke-dasharray: 2 3; }
.s0 { stroke: #27c; fill: #27c; } .s1 { stroke: #d70; fill: #d70; } polyline { fill: none !important; stroke-width: 1.5; } circle { stroke: none; }
.doubt { color: #b60; }
</style>
<h1>Picture and sound on bad networks</h1>
<p>Commit ${escape(report.commit)}, ${escape(report.date)}, ${report.machine.processors} processors
(${escape(report.machine.model)}), ${report.seconds} s a run, seed ${report.seed}.
Chromium to itself without a server: one-way audio p50 ${number(audio.p50)} ms, p99 ${number(audio.p99)} ms.</p>
<table><tr><th>condition</th><th>leg</th><th>figure</th><th>measured</th><th>goal</th><th></th></tr>
${rows.join('\n')}</table>
${report.runs.map(section).join('\n')}
</html>
`;
}

function section(run) {
  const { audio_ms: audio, video } = run;
  const lines = [
    `Audio p50 ${number(audio.p50)} ms, p99 ${number(audio.p99)} ms, max ${number(audio.max)} ms of ${audio.bursts} bursts, ` +
      `${audio.unheard} never heard. Video: ${video.frames} frames, ${number(video.received_kbps)} kbit/s, ` +
      `${video.freezes} freezes, ${number(video.frozen_s)} s frozen. Load of the machine ${number(run.load)}.`,
  ];
  if (run.joins) lines.push(`First remote frame after the click: ${run.joins.times_ms.map(number).join(', ')} ms.`);
  const doubts = run.warnings.map((warning) => `<p class="doubt">In doubt: ${escape(warning)}.</p>`);
  const audioGoals = run.goals.filter((goal) => goal.unit === 'ms' && /audio/.test(goal.figure));
  const events = run.row === 'drop-400' ? Object.values(thirds(run.seconds)) : [];
  return `<h2>${escape(run.title)}: ${escape(run.leg)}</h2>
<p>${lines.map(escape).join('<br>')}</p>${doubts.join('')}
${plot({ title: 'one-way audio, ms', run, events, marks: audioGoals.map((goal) => goal.bound), dots: [run.delays] })}
${plot({ title: 'height of shown frames, pixels', run, events, dots: [run.frames] })}
${networkPlots(run, events)}`;
}

/** What the impaired leg's bottleneck did, where it has one. */
function networkPlots(run, events) {
  const leg = run.leg === 'sender' ? 'sender' : 'receiver';
  const { log, started_unix_ms: started } = run.relays[leg];
  const direction = leg === 'sender' ? log.up : log.down;
  const at = log.at_ms.map((ms) => (ms + started - run.began_unix_ms) / 1_000);
  const points = (values) => at.map((time, index) => [time, values[index]]).filter(([time]) => time >= 0 && time <= run.seconds);
  const sent_kbps = perSecond(at, direction.bytes).filter(([time]) => time <= run.seconds);
  const rate = { title: 'sent into the leg (blue) and its rate (orange), kbit/s', run, events };
  if (Math.max(...direction.rate_kbps) === 0) return plot({ ...rate, lines: [sent_kbps] });
  return (
    plot({ ...rate, lines: [sent_kbps, points(direction.rate_kbps)] }) +
    plot({ title: "wait in the leg's queue, ms", run, events, lines: [points(direction.queue_ms)] })
  );
}

/** Bytes so far as kbit/s over half-seconds: [[at, kbit/s]]. */
function perSecond(at, bytes) {
  const points = [];
  let from = 0;
  for (let index = 1; index < at.length; index += 1) {
    const time = at[index] - at[from];
    if (time < 0.5) continue;
    if (at[index] >= 0) points.push([at[index], ((bytes[index] - bytes[from]) * 8) / 1_000 / time]);
    from = index;
  }
  return points;
}

const WIDTH = 960;
const HEIGHT = 170;
const LEFT = 60;
const BOTTOM = 24;

/** One plot over the time of a run. */
function plot({ title, run, events = [], marks = [], dots = [], lines = [] }) {
  const values = [...dots, ...lines].flatMap((series) => series.map(([, value]) => value));
  const top = Math.max(1, ...marks, ...values) * 1.08;
  const x = (at) => (LEFT + (at / run.seconds) * (WIDTH - LEFT - 10)).toFixed(1);
  const y = (value) => (HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - 22)).toFixed(1);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = (share * top) / 1.08;
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(value)}" y2="${y(value)}"/>` +
      `<text x="${LEFT - 6}" y="${Number(y(value)) + 4}" text-anchor="end">${number(value)}</text>`;
  });
  const seconds = [0, 1, 2, 3, 4, 5, 6].map((sixth) => {
    const at = (sixth * run.seconds) / 6;
    return `<text x="${x(at)}" y="${HEIGHT - 6}" text-anchor="middle">${number(at)} s</text>`;
  });
  const drawn = [
    ...events.map((at) => `<line class="event" x1="${x(at)}" x2="${x(at)}" y1="22" y2="${HEIGHT - BOTTOM}"/>`),
    ...marks.map((value) => `<line class="goal" x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(value)}" y2="${y(value)}"/>`),
    ...lines.map((series, index) =>
      `<polyline class="s${index}" points="${series.map(([at, value]) => `${x(at)},${y(value)}`).join(' ')}"/>`),
    ...dots.map((series, index) =>
      `<g class="s${index}">${series.map(([at, value]) => `<circle cx="${x(at)}" cy="${y(value)}" r="1.6"/>`).join('')}</g>`),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">` +
    `<text x="${LEFT}" y="14">${escape(title)}</text>${grid.join('')}${seconds.join('')}${drawn.join('')}</svg>`;
}
