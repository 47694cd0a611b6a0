// The emulator's page as a person uses it, with the mouse, with the keyboard alone, and on a phone.
"use strict";

const assert = require("node:assert/strict");
const { createServer } = require("node:http");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const path = require("node:path");
const { after, before, test } = require("node:test");
const { chromium } = require("playwright-core");
const { create, send, startEmulator } = require("./emulator.js");

const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true };

let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

after(() => browser.close());

/**
 * Opens the page. The test fails if the page complains, or asks for anything but the emulator's. `expected` is a complaint
 * that the test provokes.
 */
async function open(t, emulator, { expected, ...options } = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  // The emulator ends before the page is closed, which may still ask for something.
  page.on("console", (message) => emulator.hasEnded || complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => complaints.push(dialog.message()));
  page.on("request", (request) => {
    if (!request.url().startsWith(emulator.controlEndpoint) && !request.url().startsWith("data:")) {
      complaints.push(`asked for ${request.url()}`);
    }
  });
  page.setDefaultTimeout(20_000);
  await page.goto(emulator.controlEndpoint);
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints.filter((complaint) => !expected?.test(complaint)), []);
  });
  return page;
}

const section = (page, name) => page.getByRole("region", { name });
const row = (page, text) => page.locator("tbody", { hasText: text }).first();
const screenshot = (page, name) =>
  page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });

/** One of each: an identity, a token of each status, an explained refusal, and ids that try to be markup. */
async function fill({ connectionString, endpoint }) {
  const id = await create(connectionString);
  const issue = (scope) =>
    send(connectionString, "POST", `/identities/${id}/:issueAccessToken`, { body: `{"scopes":["${scope}"]}` });
  await issue("chat");
  await send(connectionString, "POST", `/identities/${id}/:revokeAccessTokens`);
  await issue("voip");
  await send(connectionString, "POST", "/identities", { host: `${new URL(endpoint).host}/` });
  const markup = '<img src="x" onerror="alert(1)">';
  await send(connectionString, "DELETE", `/identities/${encodeURIComponent(markup)}`);
  return { id, markup };
}

test("it shows requests as they come, with the explanation of a refusal", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  await section(page, "Requests").getByText("None yet.").waitFor();

  const { id } = await fill(emulator);
  const refused = row(page, "401 Denied");
  await refused.getByText("Sign the host without the endpoint's trailing slash.").waitFor();
  assert.match(await refused.innerText(), /createIdentity/);
  const issued = row(page, "issueToken");
  assert.equal(await issued.locator(".identity span").getAttribute("title"), id);
  assert.match(await issued.innerText(), /\b200\b[\s\S]*\d ms/);
  await screenshot(page, "wide");
});

test("ids and messages are text, never markup", async (t) => {
  const emulator = await startEmulator(t);
  const { markup } = await fill(emulator);
  const page = await open(t, emulator);
  await row(page, "deleteIdentity").getByText(markup).waitFor();
  assert.equal(await page.locator("img").count(), 0);
});

test("it shows live and revoked tokens, and their claims unfold with the keyboard and stay unfolded", async (t) => {
  const emulator = await startEmulator(t);
  const { id } = await fill(emulator);
  const page = await open(t, emulator);
  const tokens = section(page, "Tokens").getByRole("listitem");
  await tokens.nth(1).waitFor();
  const [active, revoked] = await tokens.allInnerTexts();
  assert.match(active, /^active\s+voip/);
  assert.match(revoked, /^revoked\s+chat/);

  await tokens.nth(1).locator("summary").focus();
  await page.keyboard.press("Enter");
  await send(emulator.connectionString, "POST", `/identities/${id}/:issueAccessToken`, { body: '{"scopes":["chat"]}' });
  await tokens.nth(2).waitFor();
  const claims = JSON.parse(await tokens.nth(2).locator("pre").innerText());
  assert.deepEqual([claims.acsScope, `8:${claims.skypeid}`], ["chat", id]);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY");
});

test("an access key is regenerated with the keyboard alone", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  const field = section(page, "Connection strings").getByRole("group", { name: "Primary" }).getByLabel("http", { exact: true });
  await page.waitForFunction(() => document.querySelector("input[name=connectionString]").value);
  assert.equal(await field.inputValue(), emulator.connectionString);

  const press = async (...keys) => {
    await page.getByRole("button", { name: "Regenerate primary key" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    for (const key of keys) {
      await page.keyboard.press(key);
    }
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  };
  await press("Enter"); // keeps it
  await press("Escape");
  await create(emulator.connectionString);

  await press("Tab", "Enter");
  await page.waitForFunction((old) => document.querySelector("input[name=connectionString]").value !== old, emulator.connectionString);
  assert.equal((await send(emulator.connectionString, "POST", "/identities")).status, 401);
  await create(await field.inputValue());
});

test("a fault is switched on, applies, and is switched off", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  const faults = section(page, "Faults");
  await faults.getByRole("spinbutton", { name: "Status" }).fill("429");
  await faults.getByLabel("Retry-After, s").fill("7");
  await faults.getByLabel("Applies to").selectOption("the next few");
  await faults.getByLabel("How many").fill("2");
  await faults.getByLabel("Operation").selectOption("createIdentity");
  await faults.getByRole("button", { name: "Switch on" }).click();
  const fault = faults.getByRole("listitem");
  await fault.getByText("Retry-After 7 s").waitFor();

  assert.equal((await send(emulator.connectionString, "POST", "/identities")).status, 429);
  await fault.getByText("hits: 1, left: 1").waitFor();
  await row(page, "429").getByText("Injected fault").waitFor();
  await screenshot(page, "faults");
  await fault.getByRole("button", { name: "Switch off" }).click();
  await faults.getByText("None. Everything works.").waitFor();
  await create(emulator.connectionString);
});

test("a gateway's page follows the commit, whose answer is told", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  const faults = section(page, "Faults");
  await faults.getByLabel("Sent").selectOption("after the commit");
  await faults.getByRole("button", { name: "Switch on" }).click();
  await faults.getByRole("listitem").getByText("503, after the commit").waitFor();
  const { status, body } = await send(emulator.connectionString, "POST", "/identities");
  assert.deepEqual([status, body.includes("503 Service Unavailable")], [503, true]);
  await row(page, "503").getByText("the operation's response was not sent: 201").waitFor();
  await section(page, "Identities").getByRole("listitem").waitFor();
  await screenshot(page, "after-commit");
});

test("a button sends the next request a status with its code, and another after the commit", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  const faults = section(page, "Faults");
  const next = faults.getByRole("group", { name: "For the next request" });
  const names = await next.locator(".preset span").allInnerTexts();
  for (const name of names) {
    const [status, code] = name.split(" ");
    await next.getByRole("button", { name: `${name}, at once` }).click();
    await faults.getByRole("listitem").filter({ hasText: `${status}, code ${code}` }).filter({ hasText: "left: 1" }).waitFor();
    const at = await send(emulator.connectionString, "POST", "/identities");
    assert.deepEqual([at.status, at.body.error.code], [Number(status), code]);
  }
  assert.equal((await (await fetch(`${emulator.controlEndpoint}resource`)).json()).identities, 0);
  for (const [index, name] of names.entries()) {
    const [status, code] = name.split(" ");
    await next.getByRole("button", { name: `${name}, after the commit` }).click();
    const fault = faults.getByRole("listitem").filter({ hasText: `${status}, code ${code}` });
    await fault.filter({ hasText: "after the commit" }).filter({ hasText: "left: 1" }).waitFor();
    const after = await send(emulator.connectionString, "POST", "/identities");
    assert.deepEqual([after.status, after.body.error.code], [Number(status), code]);
    assert.equal((await (await fetch(`${emulator.controlEndpoint}resource`)).json()).identities, index + 1);
  }
  assert.ok(names.length >= 5);
});

test("the state is exported, imported and reset", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator, { expected: /status of 400/ });
  const state = section(page, "State");
  const identities = section(page, "Identities").getByRole("listitem");
  const id = await create(emulator.connectionString);
  await identities.filter({ hasText: id }).waitFor();
  const download = page.waitForEvent("download");
  await state.getByRole("link", { name: "Export" }).click();
  const exported = await (await download).path();
  assert.deepEqual(JSON.parse(readFileSync(exported, "utf8")).identities, [{ id }]);

  await state.getByRole("button", { name: "Reset" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.equal(await identities.count(), 1);
  await state.getByRole("button", { name: "Reset" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
  await section(page, "Identities").getByText("None yet.").waitFor();
  await state.getByText("0 imports, 1 reset.").waitFor();
  await section(page, "Requests").getByText("None yet.").waitFor();

  await state.getByLabel("State to import").setInputFiles(exported);
  await state.getByRole("button", { name: "Import", exact: true }).click();
  await identities.filter({ hasText: id }).waitFor();
  await state.getByText("1 import, 1 reset.").waitFor();
  await screenshot(page, "state");
  await create(emulator.connectionString);

  const wrong = { name: "wrong.json", mimeType: "application/json", buffer: Buffer.from('{"identity":[]}') };
  await state.getByLabel("State to import").setInputFiles(wrong);
  await state.getByRole("button", { name: "Import", exact: true }).click();
  await state.getByRole("alert").getByText("unknown field").waitFor();
});

test("it shows health and version", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  const { version } = await (await fetch(`${emulator.controlEndpoint}health`)).json();
  await page.locator("#health").getByText("ready").waitFor();
  assert.equal(await page.locator("#version").innerText(), version);
});

test("an error has the code that is asked for", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  const faults = section(page, "Faults");
  await faults.getByLabel("Code").fill("Busy");
  await faults.getByRole("button", { name: "Switch on" }).click();
  await faults.getByRole("listitem").getByText("503, code Busy").waitFor();
  const { status, body } = await send(emulator.connectionString, "POST", "/identities");
  assert.deepEqual([status, body.error.code], [503, "Busy"]);
});

test("every effect can be switched on, and what the emulator refuses is told", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator, { expected: /status of 400/ });
  const faults = section(page, "Faults");
  const effects = await faults.getByLabel("Effect").locator("option").allInnerTexts();
  for (const [index, effect] of effects.entries()) {
    await faults.getByLabel("Effect").selectOption(effect);
    await faults.getByLabel("Applies to").selectOption("a share of them");
    await faults.getByLabel("Percent").fill("12.5");
    await faults.getByRole("button", { name: "Switch on" }).click();
    await faults.getByRole("listitem").nth(index).waitFor();
  }
  const listed = (await faults.getByRole("listitem").allInnerTexts()).join("\n");
  for (const effect of effects) {
    assert.ok(listed.includes(effect), effect);
  }
  assert.equal(listed.match(/12\.5 % of requests/g).length, effects.length);

  await faults.getByLabel("Effect").selectOption("respond late");
  await faults.getByLabel("Milliseconds").fill("99999999999");
  await faults.getByRole("button", { name: "Switch on" }).click();
  await faults.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  assert.equal(await faults.getByRole("listitem").count(), effects.length);
});

/** Waits until the emulator's settings are as they should be. */
async function settled(emulator, are) {
  const settings = async () => (await fetch(`${emulator.controlEndpoint}settings`)).json();
  while (!are(await settings())) {
    // The page is about to send them. The test's own time limit ends this.
  }
}

test("settings change what clients meet", async (t) => {
  const emulator = await startEmulator(t);
  const page = await open(t, emulator);
  const settings = section(page, "Settings");
  await settings.getByLabel("2026-09-23").check();
  await settings.getByRole("button", { name: "Apply" }).click();
  await settled(emulator, ({ withdrawnVersions }) => withdrawnVersions.length === 1);
  const refused = await send(emulator.connectionString, "POST", "/identities");
  assert.deepEqual([refused.status, refused.body.error.code], [400, "UnsupportedApiVersion"]);

  await settings.getByLabel("Its clock is ahead by, s").fill("-600");
  await settings.getByLabel("2026-09-23").uncheck();
  await settings.getByRole("button", { name: "Apply" }).click();
  await settled(emulator, ({ clockOffsetSeconds }) => clockOffsetSeconds === -600);
  assert.equal((await send(emulator.connectionString, "POST", "/identities")).status, 401);
});

test("every control is reached with the Tab key, and shows that it has the focus", async (t) => {
  const emulator = await startEmulator(t);
  await fill(emulator);
  const page = await open(t, emulator);
  await row(page, "401 Denied").waitFor();
  const expected = await page.evaluate(() => {
    const controls = [...document.querySelectorAll("a, button, input, select, summary")];
    return controls.filter((control) => !control.disabled && control.checkVisibility()).length;
  });
  const reached = new Set();
  for (let presses = 0; presses < expected * 2; presses += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      window.stops ??= new Map();
      if (element === document.body) {
        return undefined;
      }
      if (!window.stops.has(element)) {
        window.stops.set(element, window.stops.size);
      }
      const outline = getComputedStyle(element).outlineStyle;
      return { stop: window.stops.get(element), outline, isControl: element.matches("a, button, input, select, summary") };
    });
    if (focused?.isControl) {
      assert.notEqual(focused.outline, "none");
      reached.add(focused.stop);
    }
  }
  assert.equal(reached.size, expected);
});

test("it fits a phone", async (t) => {
  const emulator = await startEmulator(t);
  await fill(emulator);
  const page = await open(t, emulator, PHONE);
  await row(page, "401 Denied").waitFor();
  await screenshot(page, "phone");
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 844 });
    const content = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(content <= width, `${content} of ${width} pixels`);
  }
});

test("it says when the emulator cannot be reached", async (t) => {
  const emulator = await startEmulator(t);
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(emulator.controlEndpoint);
  await section(page, "Requests").getByText("None yet.").waitFor();
  emulator.stop();
  await page.getByRole("alert").filter({ hasText: "The emulator cannot be reached" }).waitFor();
});

test("a page of another site can neither read nor use the control surface, nor frame the page", async (t) => {
  const emulator = await startEmulator(t);
  const other = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(`<iframe src="${emulator.controlEndpoint}"></iframe>`);
  });
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());

  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`http://localhost:${other.address().port}/`);
  const outcomes = await page.evaluate(async (control) => {
    const outcome = (request) => request.then((response) => response.type, () => "refused");
    return [
      await outcome(fetch(`${control}access-keys`)),
      await outcome(fetch(`${control}access-keys/primary/regenerate`, { method: "POST", mode: "no-cors" })),
      await outcome(fetch(`${control}faults`, { method: "POST", mode: "no-cors", body: '{"effect":"status","status":503}' })),
    ];
  }, emulator.controlEndpoint);
  assert.equal(outcomes[0], "refused");
  await create(emulator.connectionString); // with the old key, and without a fault
  assert.equal(await page.frames()[1].locator("h1").count(), 0);
});
