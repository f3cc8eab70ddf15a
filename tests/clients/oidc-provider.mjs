// A real OpenID provider (npm oidc-provider) over TLS on the loopback, in a process of its own, so
// that a test can take it away. The person in front of it is played by what was last posted to
// /person; everything else is the provider's own doing.

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const { port, key, certificate, bedside, kid } = JSON.parse(process.argv[2]);
const issuer = `https://localhost:${port}`;
let person = { sub: 'ada', name: 'Ada', roles: ['doctors'], amr: ['pwd', 'otp'] };

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
  clients: [
    {
      client_id: 'bedside',
      client_secret: 'a secret between the two of them',
      redirect_uris: [`${bedside}/oidc/callback`],
      backchannel_logout_uri: `${bedside}/oidc/backchannel-logout`,
      backchannel_logout_session_required: true,
    },
  ],
  cookies: { keys: ['for the tests of one run'] },
  claims: { openid: ['sub', 'name', 'roles', 'amr', 'acr', 'sid', 'auth_time'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
  // Its own guard against requests to private addresses would keep it from this machine's Bedside.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: person.name, roles: person.roles }),
  }),
  loadExistingGrant: async (context) => {
    const grant = new provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope('openid');
    await grant.save();
    return grant;
  },
});

provider.on('backchannel.error', (_, error) => console.error('back-channel logout failed:', error));

const callback = provider.callback();
const options = { key: readFileSync(key), cert: readFileSync(certificate) };
const server = createServer(options, async (request, response) => {
  if (request.url === '/person') {
    let body = '';
    for await (const part of request) body += part;
    person = JSON.parse(body);
    response.end();
    return;
  }
  if (request.url.startsWith('/interaction/')) {
    const login = { accountId: person.sub, amr: person.amr, ts: Math.floor(Date.now() / 1000) };
    await provider.interactionFinished(request, response, { login });
    return;
  }
  callback(request, response);
});
server.listen(port, '127.0.0.1', () => console.log('ready'));
