// The cases of @azure/communication-identity's own tests that depend on the service.
"use strict";

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { AzureCommunicationTokenCredential } = require("@azure/communication-common");
const {
  asOwner,
  cases,
  clientOptions,
  clients,
  expectedError,
  introspect,
  mintEntraToken,
  resourceEndpoint,
} = require("./emulator.js");

const newest = cases.apiVersions.at(-1);

const foreignUser = { communicationUserId: cases.foreignUser };

const variants = Object.entries(clients).flatMap(([credential, open]) =>
  cases.apiVersions.map((apiVersion) => ({ credential, open, apiVersion })),
);
for (const { credential, open, apiVersion } of variants) {
  describe(`CommunicationIdentityClient, ${credential}, ${apiVersion ?? "its default api-version"}`, () => {
    const client = open(clientOptions(apiVersion));

    it("sends the api-version", async () => {
      const urls = [];
      await client.createUser({ onResponse: ({ request }) => urls.push(request.url) });
      assert.deepEqual(urls.map((url) => url.endsWith(`api-version=${newest}`)), [apiVersion === newest]);
    });

    it("createUser", async () => {
      const user = await client.createUser();
      assert.match(user.communicationUserId, /^8:acs:/);
    });

    for (const scopes of cases.scopeSets) {
      it(`createUserAndToken, ${scopes}`, async () => {
        const { token, user } = await client.createUserAndToken(scopes);
        await assertActive(token, user, scopes);
      });

      it(`getToken, ${scopes}`, async () => {
        const user = await client.createUser();
        const { token } = await client.getToken(user, scopes);
        await assertActive(token, user, scopes);
      });
    }

    for (const tokenExpiresInMinutes of cases.validMinutes) {
      it(`createUserAndToken, ${tokenExpiresInMinutes} minutes`, async () => {
        const { expiresOn } = await client.createUserAndToken(["chat"], { tokenExpiresInMinutes });
        assertExpiresIn(expiresOn, tokenExpiresInMinutes);
      });

      it(`getToken, ${tokenExpiresInMinutes} minutes`, async () => {
        const user = await client.createUser();
        const { expiresOn } = await client.getToken(user, ["chat"], { tokenExpiresInMinutes });
        assertExpiresIn(expiresOn, tokenExpiresInMinutes);
      });
    }

    for (const tokenExpiresInMinutes of cases.invalidMinutes) {
      const error = `${tokenExpiresInMinutes} minutes`;

      it(`createUserAndToken, ${error}`, () =>
        assertRefused(client.createUserAndToken(["chat"], { tokenExpiresInMinutes }), error));

      it(`getToken, ${error}`, async () => {
        const user = await client.createUser();
        await assertRefused(client.getToken(user, ["chat"], { tokenExpiresInMinutes }), error);
      });
    }

    for (const scopes of [null, []]) {
      it(`createUserAndToken, scopes ${JSON.stringify(scopes)}`, async () => {
        const { token, user } = await client.createUserAndToken(scopes);
        assert.match(user.communicationUserId, /^8:acs:/);
        assert.equal(token, undefined);
      });
    }

    // Null scopes are not tried here: this client refuses them by itself.
    it("getToken, scopes []", async () => {
      const user = await client.createUser();
      await assertRefused(client.getToken(user, []), "scopes empty");
    });

    it("revokeTokens", async () => {
      const { token, user } = await client.createUserAndToken(["chat"]);
      await client.revokeTokens(user);
      assert.equal((await introspect(token)).status, "revoked");
    });

    it("deleteUser", async () => {
      const { token, user } = await client.createUserAndToken(["chat"]);
      await client.deleteUser(user);
      assert.equal((await introspect(token)).status, "identityDeleted");
    });

    const operations = {
      getToken: (user) => client.getToken(user, ["chat"]),
      revokeTokens: (user) => client.revokeTokens(user),
      deleteUser: (user) => client.deleteUser(user),
    };
    for (const [name, operation] of Object.entries(operations)) {
      it(`${name}, foreign user`, () => assertRefused(operation(foreignUser), "foreign user"));

      it(`${name}, no user`, () => {
        // What the service answers is not known. The request of deleteUser is for /identities/, which is /identities, and with
        // --strict no operation.
        const statusCodes = name === "deleteUser" ? [405, 404] : [401];
        return assert.rejects(operation({ communicationUserId: "" }), (error) => {
          assert.equal(error.name, "RestError");
          return statusCodes.includes(error.statusCode);
        });
      });
    }

    it("getTokenForTeamsUser", async () => {
      const entra = await mintEntraToken({ kind: "teamsUser" });
      const { token } = await exchange(client, entra);
      assert.equal((await introspect(token)).status, "active");
    });

    for (const { error, mint, send } of cases.refusedExchanges) {
      it(`getTokenForTeamsUser, ${error}`, async () => {
        const entra = await mintEntraToken({ kind: "teamsUser", ...mint });
        await assertRefused(exchange(client, { ...entra, ...send }), error);
      });
    }
  });
}

describe("AzureCommunicationTokenCredential", () => {
  const constructors = {
    "a token": (token) => new AzureCommunicationTokenCredential(token),
    "a refresher": (token) => new AzureCommunicationTokenCredential({ tokenRefresher: async () => token }),
  };
  for (const [from, construct] of Object.entries(constructors)) {
    it(`reads the expiry, from ${from}`, async () => {
      const { token, expiresOn } = await clients.key().createUserAndToken(["chat"]);
      const credential = construct(token);
      const read = await credential.getToken();
      credential.dispose();
      assert.equal(read.token, token);
      assert.equal(read.expiresOnTimestamp, Math.floor(expiresOn / 1000) * 1000);
    });
  }
});

// The cases of communication-common's own tests of this credential that depend on the service.
const assignments = {
  entraUser: {
    scopes: ["https://communication.azure.com/clients/VoIP"],
    target: ({ userId }) => `/access/entra/assignments/${userId}?api-version=2025-03-02-preview`,
    id: ({ tenantId, userId }) => `_wf_${tenantId}_${userId}`,
  },
  teamsExtensionUser: {
    scopes: ["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls"],
    target: ({ tenantId, userId }) =>
      `/access/teamsExtension/tenants/${tenantId}/assignments/${userId}?api-version=${newest}`,
    id: ({ tenantId, userId }) => `_${tenantId}_${userId}`,
  },
};
for (const [kind, { scopes, target, id }] of Object.entries(assignments)) {
  describe(`AzureCommunicationTokenCredential, Entra ID, ${kind}`, () => {
    const assign = (entra) =>
      asOwner("PUT", target(entra), {
        principalType: "user",
        tenantId: entra.tenantId,
        clientIds: [entra.appId],
      });
    // A credential of the user whose token `current` returns.
    const open = (current) =>
      new AzureCommunicationTokenCredential({
        resourceEndpoint,
        scopes,
        tokenCredential: {
          async getToken(asked) {
            assert.deepEqual(asked, scopes);
            const { token, expiresOn } = current();
            return { token, expiresOnTimestamp: Date.parse(expiresOn) };
          },
        },
      });

    it("exchanges the token of an assigned user, and again when it is another", async () => {
      let entra = await mintEntraToken({ kind });
      await assign(entra);
      const credential = open(() => entra);
      const first = await credential.getToken();
      const { status, claims } = await introspect(first.token);
      assert.equal(status, "active");
      assert.ok(claims.skypeid.endsWith(id(entra)), claims.skypeid);
      assert.equal(first.expiresOnTimestamp, Math.floor(Date.parse(entra.expiresOn) / 1000) * 1000);
      assert.equal((await credential.getToken()).token, first.token);

      const { tenantId, userId, appId } = entra;
      entra = await mintEntraToken({ kind, tenantId, userId, appId, expiresInSeconds: 7200 });
      const second = await credential.getToken();
      assert.equal(second.expiresOnTimestamp, Math.floor(Date.parse(entra.expiresOn) / 1000) * 1000);
    });

    for (const [name, status, change] of [
      ["that is not valid", 401, (entra) => ({ ...entra, token: "invalid" })],
      ["of a user who is not assigned", 403, (entra) => entra],
    ]) {
      it(`refuses the token ${name}`, async () => {
        const entra = change(await mintEntraToken({ kind }));
        await assert.rejects(open(() => entra).getToken(), { message: new RegExp(`Status: ${status}, `) });
      });
    }
  });
}

function exchange(client, { token, appId, userId }) {
  return client.getTokenForTeamsUser({ teamsUserAadToken: token, clientId: appId, userObjectId: userId });
}

async function assertActive(token, user, scopes) {
  const { status, claims } = await introspect(token);
  assert.equal(status, "active");
  assert.equal(`8:${claims.skypeid}`, user.communicationUserId);
  assert.equal(claims.acsScope, String(scopes));
}

function assertExpiresIn(expiresOn, minutes) {
  const actual = (expiresOn - Date.now()) / 60_000;
  assert.ok(Math.abs(actual - minutes) <= minutes * 0.05, `${actual} minutes`);
}

function assertRefused(promise, name) {
  const { status, body } = expectedError(name);
  return assert.rejects(promise, (error) => {
    const { statusCode, code, message, details } = error;
    assert.deepEqual(
      { statusCode, code, message, details },
      { statusCode: status, code: body.code, message: body.message, details: { error: body } },
    );
    return true;
  });
}
