#!/usr/bin/env node
// Runs the program of the package for this platform, which npm has chosen by its `os` and `cpu`.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const platform = `${process.platform}-${process.arch}`;

function find() {
  const name = process.platform === "win32" ? "acs-identity-emulator.exe" : "acs-identity-emulator";
  try {
    return require.resolve(`@acs-identity-emulator/${platform}/${name}`);
  } catch {
    console.error(
      `error: the package @acs-identity-emulator/${platform} is not installed. Install without --omit=optional; if there is ` +
        `no such package, build the emulator with cargo`,
    );
    process.exit(1);
  }
}

const emulator = spawn(find(), process.argv.slice(2), { stdio: "inherit", windowsHide: true });
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    // A terminal has sent its Ctrl-C to both. A second signal would end the emulator before the requests in progress.
    if (signal !== "SIGINT" || !process.stdin.isTTY) {
      emulator.kill(signal);
    }
  });
}
emulator.on("error", (error) => {
  console.error(`error: cannot start the emulator: ${error.message}`);
  process.exit(1);
});
emulator.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
