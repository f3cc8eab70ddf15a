import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const css = readFileSync('src/styles/base.css', 'utf8');
const [light, dark] = ['light', 'dark'].map((scheme) => colours(scheme));

/** Pairs of ink and ground that stand on each other, with the contrast that WCAG 2.2 asks for. */
const PAIRS: [string, string, number][] = [
  ['ink', 'ground', 4.5],
  ['ink', 'surface', 4.5],
  ['ink-soft', 'ground', 4.5],
  ['ink-soft', 'surface', 4.5],
  ['on-primary', 'primary', 4.5],
  ['on-primary', 'primary-hover', 4.5],
  ['on-danger', 'danger', 4.5],
  ['on-danger', 'danger-hover', 4.5],
  ['danger', 'surface', 4.5],
  ['danger', 'ground', 4.5],
  ['on-notice', 'notice', 4.5],
  ['tile-ink', 'tile', 4.5],
  ['control-edge', 'surface', 3],
  ['control-edge', 'ground', 3],
  ['focus', 'surface', 3],
  ['focus', 'ground', 3],
  ['good', 'ground', 3],
  ['speaking', 'tile', 3],
];

for (const [scheme, palette] of [
  ['light', light!],
  ['dark', dark!],
] as const) {
  test(`colours of the ${scheme} scheme stand out from each other`, () => {
    for (const [ink, ground, least] of PAIRS) {
      const found = contrast(palette(ink), palette(ground));
      assert.ok(found >= least, `${ink} on ${ground}: ${found.toFixed(2)}, needs ${least}`);
    }
  });
}

/** The custom properties of a scheme; dark redefines what differs from light. */
function colours(scheme: string): (name: string) => string {
  const [first, second] = css.split('@media (prefers-color-scheme: dark)');
  const read = (block: string): Map<string, string> =>
    new Map(
      [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1]!, found[2]!]),
    );
  const base = read(first!);
  const own = scheme === 'dark' ? read(second!) : base;
  return (name) => {
    const colour = own.get(name) ?? base.get(name);
    assert.ok(colour, `base.css defines --${name}`);
    return colour;
  };
}

/** WCAG 2.2, definition of contrast ratio. */
function contrast(a: string, b: string): number {
  const [lighter, darker] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (lighter! + 0.05) / (darker! + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}
