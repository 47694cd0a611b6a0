// npm's oidc-provider, which Logto is built on, with a new ES384 key at each start: PORT is where to listen, 0 for any
// free port. It prints its issuer when it is ready. Besides what the provider serves under /oidc, /key-requests says how
// often the keys were asked for.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

// The packages are where NODE_PATH says, which imports do not look at.
const { Provider } = await import(createRequire(import.meta.url).resolve("oidc-provider"));

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
const key = { ...privateKey.export({ format: "jwk" }), alg: "ES384", use: "sig", kid: randomUUID() };

const server = createServer();
await new Promise((resolve) => server.listen(Number(process.env.PORT), "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(`${origin}/oidc`, {
  jwks: { keys: [key] },
  clients: [
    {
      client_id: "machine",
      client_secret: "of-the-machine",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: "client_secret_post",
      id_token_signed_response_alg: "ES384",
    },
  ],
  enabledJWA: { idTokenSigningAlgValues: ["ES384"] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        audience: resource,
        scope: "read:messages write:messages",
        accessTokenFormat: "jwt",
        accessTokenTTL: 3600,
        jwt: { sign: { alg: "ES384" } },
      }),
    },
  },
});

let keyRequests = 0;
const handle = provider.callback();
server.on("request", (request, response) => {
  if (request.url === "/key-requests") {
    response.end(String(keyRequests));
    return;
  }
  if (request.url === "/oidc/jwks") keyRequests += 1;
  // As Express does for a mounted application: the provider finds its prefix by the difference of the two.
  request.originalUrl = request.url;
  request.url = request.url.replace(/^\/oidc/, "");
  handle(request, response);
});
console.log(`${origin}/oidc`);
