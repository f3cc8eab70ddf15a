/** Chooses how the tiles of a call share the room that the window has. Pure arithmetic. */

export type Layout =
  /** One tile fills everything. */
  | { readonly kind: 'single' }
  /** The other person fills everything; the self-view sits in a corner. */
  | { readonly kind: 'pair' }
  /** Equal tiles. Sizes in CSS pixels, without gaps. */
  | {
      readonly kind: 'grid';
      readonly columns: number;
      readonly tileWidth: number;
      readonly tileHeight: number;
    }
  /** A shared screen fills most; the people sit in a strip beside or below it. */
  | { readonly kind: 'stage'; readonly strip: 'side' | 'below' };

export interface Scene {
  /** Tiles of people, the self-view included. */
  readonly people: number;
  /** Tiles of shared screens. */
  readonly screens: number;
  /** Room for tiles in CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** Space between two tiles in CSS pixels. */
  readonly gap: number;
}

/** The layout that shows the scene's tiles largest without changing who comes first. */
export function chooseLayout(scene: Scene): Layout {
  if (scene.screens > 0) {
    return {
      kind: 'stage',
      strip: scene.width > scene.height * STAGE_SIDE_ASPECT ? 'side' : 'below',
    };
  }
  if (scene.people <= 1) return { kind: 'single' };
  if (scene.people === 2) return { kind: 'pair' };
  return chooseGrid(scene);
}

/** How a picture should fill its tile: cut to fill, or whole with bars. */
export function chooseFit(pictureAspect: number, tileAspect: number): 'cover' | 'contain' {
  const mismatch = Math.max(pictureAspect / tileAspect, tileAspect / pictureAspect);
  return mismatch <= COVER_MISMATCH_MAX ? 'cover' : 'contain';
}

function chooseGrid({ people, width, height, gap }: Scene): Layout {
  let best = { kind: 'grid', columns: 1, tileWidth: 0, tileHeight: 0 } as const as GridLayout;
  for (let columns = 1; columns <= people; columns += 1) {
    const rows = Math.ceil(people / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    const tile = clampAspect(cellWidth, cellHeight);
    if (tile.width * tile.height > best.tileWidth * best.tileHeight) {
      best = {
        kind: 'grid',
        columns,
        tileWidth: Math.floor(tile.width),
        tileHeight: Math.floor(tile.height),
      };
    }
  }
  return best;
}

type GridLayout = Extract<Layout, { kind: 'grid' }>;

/** The largest tile inside a cell whose shape is neither a slit nor a tower. */
function clampAspect(width: number, height: number): { width: number; height: number } {
  if (width <= 0 || height <= 0) return { width: 0, height: 0 };
  const aspect = Math.min(Math.max(width / height, TILE_ASPECT_MIN), TILE_ASPECT_MAX);
  return width / height > aspect
    ? { width: height * aspect, height }
    : { width, height: width / aspect };
}

/** Square at the narrowest: faces are upright. */
const TILE_ASPECT_MIN = 1;

/** The shape of most cameras at the widest. */
const TILE_ASPECT_MAX = 16 / 9;

/** A window wider than this puts the strip of people beside the shared screen. */
const STAGE_SIDE_ASPECT = 1.2;

/**
 * Largest mismatch of shapes at which a picture is cut to fill its tile. 4:3 in 16:9 is 1.33 and
 * loses a quarter; past that a clinician would miss too much of the picture.
 */
const COVER_MISMATCH_MAX = 1.4;
