/** The page's icons: strokes on a 24 by 24 grid, coloured by the text around them. */

export type IconName =
  | 'microphone'
  | 'microphone_off'
  | 'camera'
  | 'camera_off'
  | 'screen'
  | 'screen_off'
  | 'chat'
  | 'devices'
  | 'help'
  | 'leave'
  | 'close'
  | 'send'
  | 'speaker'
  | 'alert'
  | 'check'
  | 'bars_strong'
  | 'bars_weak'
  | 'record';

/** Makes an icon. It is hidden from assistive technology: words beside it say the same. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('data-icon', name);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  for (const [outline, faint] of PATHS[name].map(
    (path) => [path.replace(/^~/, ''), path[0] === '~'] as const,
  )) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', outline);
    if (faint) path.setAttribute('opacity', '0.3');
    svg.append(path);
  }
  return svg;
}

/** Replaces the icon inside `holder` when it is a different one. */
export function setIcon(holder: Element, name: IconName): void {
  const present = holder.querySelector('svg.icon');
  if (present?.getAttribute('data-icon') === name) return;
  if (present === null) holder.prepend(icon(name));
  else present.replaceWith(icon(name));
}

const SVG = 'http://www.w3.org/2000/svg';

const MICROPHONE = [
  'M9 6a3 3 0 0 1 6 0v5a3 3 0 0 1-6 0z',
  'M5.5 11a6.5 6.5 0 0 0 13 0',
  'M12 17.5V21',
  'M8.5 21h7',
];
const CAMERA = [
  'M3 8a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z',
  'M15 10.5 21 7v10l-6-3.5',
];
const SCREEN = [
  'M3 6a1.5 1.5 0 0 1 1.5-1.5h15A1.5 1.5 0 0 1 21 6v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 15z',
  'M8.5 20h7',
];
const SLASH = 'M4 3.5 20.5 20';

/** A leading `~` draws a path faintly. */
const PATHS: Record<IconName, readonly string[]> = {
  microphone: MICROPHONE,
  microphone_off: [...MICROPHONE, SLASH],
  camera: CAMERA,
  camera_off: [...CAMERA, SLASH],
  screen: [...SCREEN, 'M12 13V8', 'M9.5 10 12 7.5 14.5 10'],
  screen_off: [...SCREEN, 'M9.5 8 14.5 13', 'M14.5 8 9.5 13'],
  chat: [
    'M4 6a2 2 0 0 1 2-2h12a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-5 4v-4a2 2 0 0 1-2-2z',
    'M8 8.5h8',
    'M8 12h5',
  ],
  devices: [
    'M4 7h9',
    'M17 7h3',
    'M4 17h3',
    'M11 17h9',
    'M13 7a2 2 0 1 0 4 0a2 2 0 1 0-4 0',
    'M7 17a2 2 0 1 0 4 0a2 2 0 1 0-4 0',
    'M4 12h16',
  ],
  help: [
    'M3.5 12a8.5 8.5 0 1 0 17 0a8.5 8.5 0 1 0-17 0',
    'M9.5 9.6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.7',
    'M12 16.6v.1',
  ],
  leave: [
    'M14 4.5H7A1.5 1.5 0 0 0 5.5 6v12A1.5 1.5 0 0 0 7 19.500h7',
    'M10.5 12H20',
    'M16.5 8.5 20 12l-3.5 3.5',
  ],
  close: ['M6 6l12 12', 'M18 6 6 18'],
  send: ['M4 12 20 5l-4.5 14-4-5.500z', 'M11.5 13.5 20 5'],
  speaker: [
    'M4 9.500v5h3.500L12 18.500v-13L7.5 9.500z',
    'M15.5 9a4 4 0 0 1 0 6',
    'M18 6.500a7.5 7.5 0 0 1 0 11',
  ],
  alert: ['M12 4 21 19.500H3z', 'M12 10v4.5', 'M12 17v.1'],
  check: ['M5 12.5 10 17.5 19 7'],
  bars_strong: ['M5 19v-4', 'M10 19v-7', 'M15 19V9', 'M20 19V5'],
  bars_weak: ['M5 19v-4', 'M10 19v-7', '~M15 19V9', '~M20 19V5'],
  record: ['M4 12a8 8 0 1 0 16 0a8 8 0 1 0-16 0', 'M9 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0'],
};
