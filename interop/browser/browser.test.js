// The emulator as pages of another origin in a browser use it.
"use strict";

const assert = require("node:assert/strict");
const { createHash, X509Certificate } = require("node:crypto");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const tls = require("node:tls");
const { test } = require("node:test");
const { chromium } = require("playwright-core");
const { send, startEmulator } = require("../page/emulator.js");

const PREVIEW = "2025-03-02-preview";

/** Returns the hash of the key of an endpoint's certificate, by which the browser is to trust it. */
async function keyHash(endpoint) {
  const { hostname, port } = new URL(endpoint);
  const socket = tls.connect({ host: hostname, port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { publicKey } = new X509Certificate(socket.getPeerCertificate().raw);
  socket.destroy();
  return createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64");
}

/** Opens a page of its own origin with the bundle, in a browser that trusts the emulator's certificate and no other. */
async function openPage(t, emulator) {
  const server = createServer((request, response) => {
    const isBundle = request.url === "/bundle.js";
    response.setHeader("Content-Type", isBundle ? "text/javascript" : "text/html");
    response.end(isBundle ? readFileSync(process.env.BUNDLE) : '<!doctype html><script src="bundle.js"></script>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--ignore-certificate-errors-spki-list=${await keyHash(emulator.httpsEndpoint)}`,
    ],
  });
  t.after(async () => {
    await browser.close();
    server.close();
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  return page;
}

async function control({ controlEndpoint }, path, body) {
  const response = await fetch(controlEndpoint + path, body && { method: "POST", body: JSON.stringify(body) });
  return response.json();
}

const kinds = {
  entraUser: {
    scopes: ["https://communication.azure.com/clients/VoIP"],
    exchange: "/access/entra/:exchangeAccessToken",
    assignment: ({ userId }) => [`/access/entra/assignments/${userId}`, PREVIEW],
    id: ({ tenantId, userId }) => `_wf_${tenantId}_${userId}`,
  },
  teamsExtensionUser: {
    scopes: ["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls"],
    exchange: "/access/teamsExtension/:exchangeAccessToken",
    assignment: ({ tenantId, userId }) => [`/access/teamsExtension/tenants/${tenantId}/assignments/${userId}`],
    id: ({ tenantId, userId }) => `_${tenantId}_${userId}`,
  },
};

for (const [kind, { scopes, exchange, assignment, id }] of Object.entries(kinds)) {
  test(`a page exchanges the token of an assigned user, ${kind}`, async (t) => {
    const emulator = await startEmulator(t);
    const page = await openPage(t, emulator);
    const resourceEndpoint = emulator.httpsEndpoint.replace(/\/$/, "");
    const exchanged = (entra) => page.evaluate((given) => exchange(given), { ...entra, resourceEndpoint, scopes });

    const entra = await control(emulator, "entra/tokens", { kind });
    // The page can read the refusal.
    await assert.rejects(exchanged(entra), /Status: 403, Body: \{"error":\{"code":"Forbidden"/);

    const [path, version] = assignment(entra);
    const body = JSON.stringify({ principalType: "user", tenantId: entra.tenantId, clientIds: [entra.appId] });
    const assigned = await send(emulator.connectionString, "PUT", path, { body, version });
    assert.equal(assigned.status, 201);
    const { token, expiresOnTimestamp } = await exchanged(entra);
    assert.equal(expiresOnTimestamp, Math.floor(Date.parse(entra.expiresOn) / 1000) * 1000);
    const { status, claims } = await control(emulator, "tokens/introspect", { token });
    assert.equal(status, "active");
    assert.ok(claims.skypeid.endsWith(id(entra)), claims.skypeid);

    // The browser has asked first.
    const { requests } = await control(emulator, "requests");
    const ofExchange = requests.filter((request) => request.path === exchange).reverse();
    const [preflight, refused] = ofExchange.map((request) => [request.method, request.status]);
    assert.deepEqual([preflight, refused], [["OPTIONS", 204], ["POST", 403]]);
  });
}

test("a page reads every response of the service, and none of the control surface", async (t) => {
  const emulator = await startEmulator(t);
  const page = await openPage(t, emulator);
  const status = (url, options) => page.evaluate(([url, options]) => statusOf(url, options), [url, options]);
  const headers = { Authorization: "none", "x-ms-date": "none" };
  for (const endpoint of [emulator.endpoint, emulator.httpsEndpoint]) {
    assert.equal(await status(`${endpoint}identities`, { method: "POST", headers }), 401);
    assert.equal(await status(`${endpoint}identities/8:acs:a_b`, { method: "DELETE", headers }), 401);
    for (const path of ["access-keys", "resource", "requests", "health"]) {
      assert.equal(await status(`${endpoint}_emulator/${path}`), "TypeError", path);
      assert.equal(await status(`${endpoint}_emulator/${path}`, { method: "POST", headers }), "TypeError", path);
    }
  }
  const fault = { effect: "status", status: 503, times: 1 };
  assert.equal((await control(emulator, "faults", fault)).remaining, 1);
  assert.equal(await status(`${emulator.endpoint}identities`, { method: "POST", headers }), 503);
});
