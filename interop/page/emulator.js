// A new emulator for each test, and a client that signs requests.
"use strict";

const { spawn } = require("node:child_process");
const { createHash, createHmac } = require("node:crypto");
const { once } = require("node:events");
const { createInterface } = require("node:readline");

/** Starts an emulator, which ends with the test `t`. */
async function startEmulator(t, ...options) {
  const child = spawn(process.env.EMULATOR_BINARY, ["--token-algorithm", "ES256", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, RUST_LOG: "warn" },
  });
  const emulator = { hasEnded: false, stop: () => child.kill() };
  t.after(() => {
    emulator.hasEnded = true;
    emulator.stop();
  });
  const [line] = await once(createInterface(child.stdout), "line");
  return Object.assign(emulator, JSON.parse(line));
}

/** Sends a request that is signed with the key of a connection string, for `host` if it is given. */
async function send(connectionString, method, path, { body = "", host, version = "2026-09-23" } = {}) {
  const [, origin, key] = /^endpoint=(.*)\/;accesskey=(.*)$/.exec(connectionString);
  const target = `${path}?api-version=${version}`;
  const date = new Date().toUTCString();
  const hash = createHash("sha256").update(body).digest("base64");
  const toSign = `${method}\n${target}\n${date};${host ?? new URL(origin).host};${hash}`;
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(toSign).digest("base64");
  const response = await fetch(origin + target, {
    method,
    body: body || undefined,
    headers: {
      "Content-Type": "application/json",
      "x-ms-date": date,
      "x-ms-content-sha256": hash,
      Authorization: `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
    },
  });
  const text = await response.text();
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

/** Creates an identity. */
async function create(connectionString) {
  const { status, body } = await send(connectionString, "POST", "/identities");
  if (status !== 201) {
    throw new Error(`the creation was answered with ${status}`);
  }
  return body.identity.id;
}

module.exports = { create, send, startEmulator };
