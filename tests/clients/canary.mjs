// Plants values that look like a person's, and finds them wherever they turn up.

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What was planted, by what it is. Each value is random, so that a hit is no coincidence. */
export class Canaries {
  #values = new Map();

  /** A value of this kind: the same one at each call. */
  plant(kind) {
    if (!this.#values.has(kind)) this.#values.set(kind, MAKERS[kind]?.() ?? word(kind));
    return this.#values.get(kind);
  }

  /** Takes a value that something else made, such as a token. */
  watch(kind, value) {
    this.#values.set(kind, value);
    return value;
  }

  /**
   * The kinds that stand in `bytes`, in any form that a program may have given them; `asTheyAre` is
   * for memory, of which there is much, and where whatever was encoded was in the clear before.
   */
  find(bytes, { asTheyAre = false } = {}) {
    const text = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
    const wanted = (value) => (asTheyAre ? [Buffer.from(value)] : forms(value));
    return [...this.#values]
      .filter(([, value]) => wanted(value).some((form) => text.includes(form)))
      .map(([kind]) => kind);
  }
}

const word = (kind) => `Canary-${kind.replaceAll(' ', '-')}-${randomBytes(6).toString('hex')}`;

const MAKERS = {
  'e-mail': () => `canary.${randomBytes(6).toString('hex')}@patient.example`,
  'patient id': () => `MRN${String(randomBytes(5).readUIntBE(0, 5)).padStart(13, '7')}`,
  // RFC 3849 and all of 127/8: nobody's, and each of them can be connected from or written down.
  'IPv4 address': () => `127.${[...randomBytes(3)].map((byte) => 100 + (byte % 150)).join('.')}`,
  'IPv6 address': () => `2001:db8:${randomBytes(2).toString('hex')}::${randomBytes(2).toString('hex')}`,
};

/** In the clear, and as encoders and unsalted hashes write it. */
function forms(value) {
  const bytes = Buffer.from(value);
  const sha256 = createHash('sha256').update(bytes).digest();
  const clear = [bytes, Buffer.from(value, 'utf16le'), Buffer.from(value.toLowerCase())];
  const written = [
    encodeURIComponent(value), JSON.stringify(value).slice(1, -1), bytes.toString('hex'),
    sha256.toString('hex'), sha256.toString('base64'), sha256.toString('base64url'),
  ];
  // Base64 of a text that it is a part of: three places to begin, without the ends that depend on
  // what stands beside it.
  for (const lead of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(lead), bytes]);
    const whole = padded.subarray(0, padded.length - (padded.length % 3));
    const skip = lead === 0 ? 0 : 4;
    for (const alphabet of ['base64', 'base64url']) {
      written.push(whole.toString(alphabet).slice(skip));
    }
  }
  return [...clear, sha256, ...written.map((form) => Buffer.from(form))];
}

/** Each value of each column of a SQLite database, as `[table.column, value]`. */
export async function columns(database) {
  const { stdout } = await run('python3', ['-c', DUMP, database], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

const DUMP = `
import json, sqlite3, sys
database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
database.text_factory = bytes
names = [name.decode() for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
found = []
for table in names:
    cursor = database.execute(f'SELECT * FROM "{table}"')
    for row in cursor:
        for (column, *_), value in zip(cursor.description, row):
            value = value if isinstance(value, bytes) else str(value).encode()
            found.append([f"{table}.{column}", value.hex()])
print(json.dumps(found))
`;

/** Every file below a folder with its content. */
export async function files(folder, below = folder) {
  const found = [];
  for (const entry of await readdir(below, { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) found.push(...(await files(folder, path)));
    else if (entry.isFile()) found.push([relative(folder, path), await readFile(path)]);
  }
  return found;
}

/**
 * What stands where it must not: `place: kind`, sorted. `places` are names, bytes and `find`'s options;
 * `allowed` says of a place, by the longest prefix of its name, which kinds may stand there.
 */
export function leaks(canaries, places, allowed) {
  const found = new Set();
  for (const [place, bytes, options] of places) {
    const rules = Object.keys(allowed).filter((prefix) => place.startsWith(prefix));
    const rule = rules.sort((a, b) => b.length - a.length)[0];
    const kinds = rule === undefined ? [] : allowed[rule];
    for (const kind of canaries.find(bytes, options)) {
      if (!kinds.includes(kind)) found.add(`${place}: ${kind}`);
    }
  }
  return [...found].sort();
}
