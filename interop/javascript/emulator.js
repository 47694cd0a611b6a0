// The emulator that interop/run started, the clients for it, and the responses that they must get.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { CommunicationIdentityClient } = require("@azure/communication-identity");

const readJson = (...names) => JSON.parse(fs.readFileSync(path.join(__dirname, "..", ...names), "utf8"));

const cases = readJson("cases.json");
const ready = JSON.parse(process.env.EMULATOR_READY);

// With @azure/communication-common 2.3.1, this client signs the port of the endpoint twice, which the emulator accepts
// unless it is strict. 2.5.0 signs it once.
const clients = {
  "connection string": (options) => new CommunicationIdentityClient(ready.httpsConnectionString, options),
  key: (options) => {
    const key = ready.httpsConnectionString.split("accesskey=")[1];
    return new CommunicationIdentityClient(ready.httpsEndpoint, { key }, options);
  },
  "Entra ID": (options) => new CommunicationIdentityClient(ready.httpsEndpoint, entraCredential, options),
};

// Options of a client; without an api-version, it sends its default one. Their types lack `apiVersion`, which the client
// hands down to the one that is generated from the specification.
const clientOptions = (apiVersion) => (apiVersion ? { apiVersion } : {});

const entraCredential = {
  async getToken(scopes) {
    if (String(scopes) !== "https://communication.azure.com//.default") {
      throw new Error(`unexpected scopes: ${scopes}`);
    }
    const { token, expiresOn } = await mintEntraToken({ kind: "service" });
    return { token, expiresOnTimestamp: Date.parse(expiresOn) };
  },
};

const mintEntraToken = (request) => control("entra/tokens", request);

const introspect = (token) => control("tokens/introspect", { token });

async function control(path, body) {
  const response = await fetch(ready.controlEndpoint + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
  return response.json();
}

// Does something as the owner of the resource that has no client in these packages.
async function asOwner(method, target, body) {
  const { token } = await mintEntraToken({ kind: "service" });
  const response = await fetch(resourceEndpoint + target, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) {
    throw new Error(`${target}: ${response.status} ${await response.text()}`);
  }
}

// The endpoint as the Entra ID credential needs it, which puts a path after it.
const resourceEndpoint = ready.httpsEndpoint.replace(/\/$/, "");

// Status and body of an error, as recorded from the service.
function expectedError(name) {
  const { recording, status, body } = cases.errors[name];
  if (recording === undefined) {
    return { status, body };
  }
  const { response } = readJson("..", "testdata", "recordings", `${recording}.json`).exchanges.at(-1);
  return { status: response.status, body: response.body.error };
}

module.exports = { asOwner, cases, clientOptions, clients, expectedError, introspect, mintEntraToken, resourceEndpoint };
