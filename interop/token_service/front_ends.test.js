// The service as a front end sees it: through Microsoft's credential, which the chat and calling clients take, and through
// the requests that Microsoft's samples make. test_front_ends.py starts this.
"use strict";

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { beforeEach, describe, it } = require("node:test");
const { AzureCommunicationTokenCredential } = require("@azure/communication-common");

const { ALICE, BOB, EMULATOR, README, SERVICE } = process.env;

/** The snippets of the service's README: the wrapper around `fetch`, and the credential. */
const snippets = [...readFileSync(README, "utf8").matchAll(/^```js\n(.*?)^```$/gms)].map(([, snippet]) => snippet);
assert.equal(snippets.length, 2);
const [wrapper, credentialOfReadme] = snippets;

/** `fetch` of a page that is served beside the service. */
const plainFetch = async (resource, options) => fetch(new URL(resource, SERVICE), options);

/** The same, after the wrapper has run in the page. */
function wrappedFetch(token) {
  const window = { fetch: plainFetch };
  new Function("window", "tokenOfTheSignedInUser", wrapper)(window, async () => token);
  return window.fetch;
}

/** `fetch` of an app that says itself who its user is. */
const fetchAs = (token) => async (path, options = {}) => {
  const headers = { ...options.headers, Authorization: `Bearer ${token}` };
  return plainFetch(path, { ...options, headers });
};

const as = { alice: fetchAs(ALICE), bob: fetchAs(BOB) };

/** The JSON of an answer that is a success. */
async function json(answering) {
  const answer = await answering;
  assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const identityOf = async (fetch) => (await json(fetch("api/user", { method: "POST" }))).acsUserIdentity;

/** Has the service issue another token the next time. */
async function revoke(fetch) {
  const answer = await fetch("api/token", { method: "DELETE" });
  assert.equal(answer.status, 204, await answer.text());
}

async function statusOf(token) {
  const body = JSON.stringify({ token });
  const headers = { "Content-Type": "application/json" };
  return (await json(fetch(`${EMULATOR}tokens/introspect`, { method: "POST", headers, body }))).status;
}

/** The scopes that a token names. */
function scopesOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url")).acsScope;
}

/** A token that expired an hour ago, as a page has it that was asleep. Its signature is not looked at here. */
function expiredToken() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT" })}.${part({ exp: Math.floor(Date.now() / 1000) - 3600 })}.c2lnbmF0dXJl`;
}

/** A refresher that counts how often it is asked. */
function counting(refresher) {
  const counted = async (...given) => {
    counted.calls += 1;
    return refresher(...given);
  };
  counted.calls = 0;
  return counted;
}

const refreshers = {
  "GET /api/token": async () => (await json(as.alice("api/token"))).token,
  "POST /refreshToken/{id}": async () => {
    const id = await identityOf(as.alice);
    return (await json(as.alice(`refreshToken/${id}`, { method: "POST" }))).token;
  },
};

beforeEach(() => identityOf(as.alice));

for (const [name, refresher] of Object.entries(refreshers)) {
  describe(`AzureCommunicationTokenCredential by ${name}`, () => {
    for (const [kind, token] of [["no token", undefined], ["an expired token", expiredToken()]]) {
      it(`begins with ${kind}`, async () => {
        const tokenRefresher = counting(refresher);
        const credential = new AzureCommunicationTokenCredential({ tokenRefresher, token });
        const first = await credential.getToken();
        assert.ok(first.expiresOnTimestamp > Date.now() + 30 * 60 * 1000, `${first.expiresOnTimestamp}`);
        assert.equal(await statusOf(first.token), "active");
        assert.equal((await credential.getToken()).token, first.token);
        assert.equal(tokenRefresher.calls, 1);
        credential.dispose();
      });
    }

    it("gets another token after the user was signed out everywhere", async () => {
      const fresh = async () => {
        const credential = new AzureCommunicationTokenCredential({ tokenRefresher: refresher });
        const { token } = await credential.getToken();
        credential.dispose();
        return token;
      };
      const first = await fresh();
      await revoke(as.alice);
      assert.equal(await statusOf(first), "revoked");
      const second = await fresh();
      assert.notEqual(second, first);
      assert.equal(await statusOf(second), "active");
    });
  });
}

describe("the snippet of the README", () => {
  it("is a credential that refreshes its token", async () => {
    const here = (url, options) => plainFetch(url.replace("https://tokens.contoso.com", ""), options);
    const names = ["AzureCommunicationTokenCredential", "tokenOfTheSignedInUser", "fetch"];
    const snippet = new Function(...names, `${credentialOfReadme}; return credential;`);
    const credential = snippet(AzureCommunicationTokenCredential, async () => ALICE, here);
    const { token } = await credential.getToken();
    credential.dispose();
    assert.equal(await statusOf(token), "active");
    assert.equal(scopesOf(token), "chat");
  });
});

// What web-chat-hero's page does: it asks for a user with a token, and for another token by the user's id.
describe("the token code of the chat sample", () => {
  const pageOf = (fetch) => ({
    async getToken() {
      const response = await fetch("/token?scope=chat", { method: "POST" });
      if (!response.ok) throw new Error(`no token: ${response.status}`);
      const { expiresOn, token, user } = await response.json();
      return { expiresOn, token, userId: user.communicationUserId };
    },
    async refreshToken(id) {
      const response = await fetch(`/refreshToken/${id}`, { method: "POST" });
      if (!response.ok) throw new Error(`no token: ${response.status}`);
      return (await response.json()).token;
    },
  });

  it("gets a token, and another one in its place", async () => {
    const page = pageOf(wrappedFetch(BOB));
    const { expiresOn, token, userId } = await page.getToken();
    assert.match(userId, /^8:acs:/);
    assert.equal(userId, await identityOf(as.bob));
    assert.ok(new Date(expiresOn) > new Date());
    assert.equal(await statusOf(token), "active");
    const refreshed = await page.refreshToken(userId);
    assert.equal(await statusOf(refreshed), "active");
    const credential = new AzureCommunicationTokenCredential({
      tokenRefresher: () => page.refreshToken(userId),
      token,
      refreshProactively: true,
    });
    assert.equal((await credential.getToken()).token, token);
    credential.dispose();
  });

  it("refreshes no other user's token", async () => {
    const { userId } = await pageOf(wrappedFetch(BOB)).getToken();
    await assert.rejects(pageOf(wrappedFetch(ALICE)).refreshToken(userId), /no token: 40[34]/);
  });

  it("gets nothing without a user", async () => {
    await assert.rejects(pageOf(plainFetch).getToken(), /no token: 401/);
    await assert.rejects(pageOf(plainFetch).refreshToken(await identityOf(as.bob)), /no token: 401/);
  });
});

// What web-calling-hero's page does: it asks for a user with a token by GET, too.
describe("the token code of the calling sample", () => {
  const getToken = async (fetch) => json(fetch("/token?scope=voip"));

  it("gets a token for calls", async () => {
    const { token, user } = await getToken(wrappedFetch(BOB));
    assert.equal(user.communicationUserId, await identityOf(as.bob));
    assert.equal(await statusOf(token), "active");
    assert.equal(scopesOf(token), "voip");
  });

  it("says who is asking to these routes alone", async () => {
    assert.equal((await wrappedFetch(BOB)("/api/user")).status, 401);
    assert.equal((await wrappedFetch(BOB)("/tokens")).status, 404);
  });
});
