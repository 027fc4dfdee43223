// MQTT.js over WebSocket: connects, subscribes, publishes and prints the message; or prints the code of the refusal.
"use strict";

const fs = require("node:fs");
const { parseArgs } = require("node:util");

const options = { header: { type: "string", multiple: true } };
for (const name of ["modules", "url", "ca", "username", "password"]) {
  options[name] = { type: "string" };
}
const typed = parseArgs({ options }).values;
const mqtt = require(`${typed.modules}/mqtt`);

const deadline = setTimeout(() => {
  console.error("nothing happened for 20 s");
  process.exit(1);
}, 20_000);

// A header is NAME=VALUE; the value may have more equals signs.
const headers = Object.fromEntries(
  (typed.header ?? []).map((text) => {
    const at = text.indexOf("=");
    return [text.slice(0, at), text.slice(at + 1)];
  }),
);

async function main() {
  let client;
  try {
    client = await mqtt.connectAsync(
      typed.url,
      {
        protocolVersion: 5,
        clientId: `mqtt5-sample-${process.pid}`,
        username: typed.username,
        password: typed.password,
        reconnectPeriod: 0,
        wsOptions: { ca: typed.ca && fs.readFileSync(typed.ca), headers },
      },
      false,
    );
  } catch (error) {
    console.log(`refused: ${error.code ?? error.message}`);
    process.exit(0);
  }
  const message = new Promise((resolve) => client.on("message", (topic, payload) => resolve(`${topic} ${payload}`)));
  await client.subscribeAsync("test/topic", { qos: 1 });
  await client.publishAsync("test/topic", "hello", { qos: 1 });
  console.log(`received: ${await message}`);
  await client.endAsync();
  clearTimeout(deadline);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
