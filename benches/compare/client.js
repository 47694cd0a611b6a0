// Microsoft's client for JavaScript; see `run`. `client.js ENDPOINT`.
"use strict";

const readline = require("node:readline");
const { CommunicationIdentityClient } = require("@azure/communication-identity");

const [endpoint] = process.argv.slice(2);
const user = { communicationUserId: process.env.CALL_USER };
const client = new CommunicationIdentityClient(endpoint, { key: process.env.CALL_KEY }, { allowInsecureConnection: true });

const getToken = () => client.getToken(user, ["chat", "voip"], { tokenExpiresInMinutes: 60 });

const show = (values) => process.stdout.write(JSON.stringify(values) + "\n");

async function measure(inFlight, seconds) {
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  const end = wall + BigInt(Math.round(seconds * 1e9));
  let requests = 0;
  const ask = async () => {
    while (process.hrtime.bigint() < end) {
      await getToken();
      requests += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, ask));
  const { user, system } = process.cpuUsage(cpu);
  show({ requests, wall: Number(process.hrtime.bigint() - wall) / 1e9, cpu: (user + system) / 1e6 });
}

async function main() {
  await getToken();
  const { token, expiresOn } = await getToken();
  show({ token: token.length, expiresOn: Math.floor(expiresOn.getTime() / 1000) });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [inFlight, seconds] = line.split(" ").map(Number);
    await measure(inFlight, seconds);
  }
}

main();
