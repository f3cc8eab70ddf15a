/** Serves dist/ over loopback with the headers of the real server, and answers `/api/link`. */
import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** The policy that the server sends; a page that needs more than this does not work in production. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
  "media-src 'self' blob:; connect-src 'self' wss:; worker-src 'self' blob:; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

/** One answer of the JSON API. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface PageServer {
  readonly url: string;
  /** What `POST /api/link` and `POST /api/join` say from now on. */
  readonly answers: Map<string, Answer | 'never'>;
  /** Every path that was asked for, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function servePage(dist: string): Promise<PageServer> {
  const answers = new Map<string, Answer | 'never'>();
  const requests: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    requests.push(path);
    response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
    const answer = answers.get(path);
    if (answer === 'never') return;
    if (answer !== undefined) {
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
      return;
    }
    const file = FILES.get(path);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': file.type });
    response.end(await readFile(join(dist, file.name)));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    answers,
    requests,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

const PAGE = { name: 'index.html', type: 'text/html; charset=utf-8' };
const FILES = new Map([
  ['/', PAGE],
  ['/consult', PAGE],
  ['/clinic', PAGE],
  ['/app.js', { name: 'app.js', type: 'text/javascript' }],
  ['/app.css', { name: 'app.css', type: 'text/css' }],
]);
