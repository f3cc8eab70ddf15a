import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFit, chooseLayout, type Layout } from '../src/layout';

const DESKTOP = { width: 1264, height: 680, gap: 8 };
const PHONE = { width: 304, height: 440, gap: 8 };

function grid(layout: Layout): Extract<Layout, { kind: 'grid' }> {
  assert.equal(layout.kind, 'grid');
  return layout as Extract<Layout, { kind: 'grid' }>;
}

test('one person fills the stage, two face each other', () => {
  assert.deepEqual(chooseLayout({ ...DESKTOP, people: 1, screens: 0 }), { kind: 'single' });
  assert.deepEqual(chooseLayout({ ...PHONE, people: 2, screens: 0 }), { kind: 'pair' });
});

test('a shared screen comes first, with the people where there is room', () => {
  assert.deepEqual(chooseLayout({ ...DESKTOP, people: 2, screens: 1 }), {
    kind: 'stage',
    strip: 'side',
  });
  assert.deepEqual(chooseLayout({ ...PHONE, people: 9, screens: 1 }), {
    kind: 'stage',
    strip: 'below',
  });
});

test('columns follow the shape of the window', () => {
  const columns = (people: number, window: typeof DESKTOP): number =>
    grid(chooseLayout({ ...window, people, screens: 0 })).columns;
  assert.deepEqual(
    [3, 4, 6, 9].map((people) => columns(people, DESKTOP)),
    [2, 2, 3, 3],
  );
  assert.deepEqual(
    [3, 4, 6, 9].map((people) => columns(people, PHONE)),
    [1, 2, 2, 2],
  );
});

test('every grid fits into its window without overlap', () => {
  for (const window of [DESKTOP, PHONE, { width: 640, height: 300, gap: 8 }]) {
    for (let people = 3; people <= 16; people += 1) {
      const { columns, tileWidth, tileHeight } = grid(
        chooseLayout({ ...window, people, screens: 0 }),
      );
      const rows = Math.ceil(people / columns);
      const place = `${people} people in ${window.width} x ${window.height}`;
      assert.ok(columns * tileWidth + (columns - 1) * window.gap <= window.width, place);
      assert.ok(rows * tileHeight + (rows - 1) * window.gap <= window.height, place);
      assert.ok(tileWidth >= tileHeight - 1 && tileWidth <= tileHeight * 1.8, `${place}: shape`);
    }
  }
});

test('a window without room gives tiles without size, not an error', () => {
  const { tileWidth, tileHeight } = grid(
    chooseLayout({ width: 0, height: 0, gap: 8, people: 4, screens: 0 }),
  );
  assert.deepEqual([tileWidth, tileHeight], [0, 0]);
});

test('a picture is cut to fill only while little of it is lost', () => {
  assert.equal(chooseFit(16 / 9, 4 / 3), 'cover');
  assert.equal(chooseFit(4 / 3, 16 / 9), 'cover');
  assert.equal(chooseFit(9 / 16, 16 / 9), 'contain');
  assert.equal(chooseFit(16 / 9, 9 / 16), 'contain');
});
