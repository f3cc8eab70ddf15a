// The bad network of one leg.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = process.env.BEDSIDE_RELAY ?? 'bedside-relay';

export class Relay {
  /** Relays to ports of the server on 127.0.0.1 as `profile` says; ends after `seconds` whatever happens. */
  static async start(name, profile, ports, seconds, folder) {
    const path = join(folder, `${name}.toml`);
    await writeFile(path, profile);
    const args = ['--profile', path, '--seconds', String(seconds), '--wait'];
    // Browsers and server fill this machine; the network must not wait for them.
    if (process.getuid() === 0) args.push('--nice', '-15');
    for (const port of ports) args.push('--to', `127.0.0.1:${port}`);
    const relay = new Relay(name, spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    const { routes } = JSON.parse(await relay.#line());
    const port = (address) => Number(address.split(':').at(-1));
    relay.ports = Object.fromEntries(routes.map((route) => [port(route.to), port(route.listen)]));
    return relay;
  }

  constructor(name, child) {
    this.name = name;
    this.child = child;
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.ended = once(child, 'exit');
    // A relay that has ended already has said so.
    child.stdin.on('error', () => {});
  }

  /** Begins the time line. */
  begin() {
    this.child.stdin.write('start\n');
  }

  /** Ends it; returns what it counted. */
  async stop() {
    this.child.stdin.end();
    const statistics = JSON.parse(await this.#line());
    await this.ended;
    return statistics;
  }

  /** Ends it, whatever state it is in. */
  async kill() {
    this.child.kill();
    await this.ended;
  }

  async #line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`the relay of the ${this.name}'s leg ended before its time`);
    return value;
  }
}
