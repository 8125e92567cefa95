// A real issuer on loopback. Prints `ready <port>`; orders come on stdin, one a line:
// `rotate` makes a new key the only one, `both` signs with a new key and keeps the old one.
// Restarting means another process on the same port: `node issuer.mjs <port> <keys.json>`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const [port, keysFile] = [Number(process.argv[2] ?? 0), process.argv[3]];
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];

async function makeKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const kid = `${alg}-${Math.random().toString(36).slice(2)}`;
  return { ...(await exportJWK(privateKey)), alg, kid, use: 'sig' };
}

async function keys() {
  try {
    return JSON.parse(readFileSync(keysFile, 'utf8'));
  } catch {
    const made = await Promise.all(algorithms.map(makeKey));
    writeFileSync(keysFile, JSON.stringify(made), { mode: 0o600 });
    return made;
  }
}

function configuration(known) {
  const clients = algorithms.map((alg) => ({
    client_id: `client-${alg}`,
    client_secret: 'test-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  }));
  return {
    clients,
    jwks: { keys: known },
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    scopes: ['llm', 'other'],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource, client) => ({
          scope: 'llm other',
          audience: resource.slice('urn:'.length),
          accessTokenTTL: Number(ctx.headers['x-test-ttl'] ?? 300),
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: client.clientId.slice('client-'.length) } },
        }),
      },
    },
  };
}

// Notices of the package: stdout is for our own lines.
console.info = console.warn = () => {};

let handler = (request, response) => response.writeHead(503).end();
const { createServer } = await import('node:http');
const server = createServer((request, response) => handler(request, response));
server.listen(port, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const serve = (known) => { handler = new Provider(url, configuration(known)).callback(); };
  let known = await keys();
  serve(known);
  console.log(`ready ${server.address().port}`);
  for await (const order of createInterface({ input: process.stdin })) {
    const made = await Promise.all(algorithms.map(makeKey));
    known = order === 'both' ? [...made, ...known] : made;
    serve(known);
    console.log('done');
  }
  process.exit(0);
});
