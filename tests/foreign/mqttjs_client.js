// One visit of MQTT.js to the sandbox: it says what it does, line by line, and fails loudly.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const { parseArgs } = require("node:util");

const options = {};
for (const name of ["modules", "port", "ca", "username", "password", "qos"]) {
  options[name] = { type: "string" };
}
const typed = parseArgs({ options }).values;
const mqtt = require(`${typed.modules}/mqtt`);

const patience = setTimeout(() => {
  console.error("nothing happened for 20 s");
  process.exit(1);
}, 20_000);

async function connect(name, will) {
  // Without a CA there is no TLS.
  const tls = typed.ca ? { ca: fs.readFileSync(typed.ca), ALPNProtocols: ["mqtt"] } : {};
  const client = await mqtt.connectAsync(`${typed.ca ? "mqtts" : "mqtt"}://localhost:${typed.port}`, {
    protocolVersion: 5,
    clientId: `mqttjs-${name}`,
    ...tls,
    username: typed.username,
    password: typed.password,
    reconnectPeriod: 0,
    will,
  });
  const messages = [];
  const waiting = [];
  client.on("message", (topic, payload, packet) => {
    const message = {
      topic,
      payload: payload.toString(),
      qos: packet.qos,
      retain: packet.retain,
      properties: packet.properties,
    };
    const next = waiting.shift();
    if (next) next(message);
    else messages.push(message);
  });
  client.message = () =>
    messages.length ? Promise.resolve(messages.shift()) : new Promise((resolve) => waiting.push(resolve));
  return client;
}

async function receives(client, topic, payload, qos, retain) {
  const message = await client.message();
  const { properties, ...told } = message;
  assert.deepStrictEqual(told, { topic, payload, qos, retain });
  return properties ?? {};
}

async function main() {
  const client = await connect("one");
  for (let qos = 0; qos <= Number(typed.qos); qos++) {
    const topic = `mqttjs/${qos}`;
    const [granted] = await client.subscribeAsync(topic, { qos });
    assert.strictEqual(granted.qos, qos);
    const properties = { userProperties: { k: ["1", "2"] }, contentType: "text/plain" };
    await client.publishAsync(topic, "hello", { qos, properties });
    const told = await receives(client, topic, "hello", qos, false);
    assert.deepEqual([...told.userProperties.k], ["1", "2"]);
    assert.strictEqual(told.contentType, "text/plain");
    console.log(`qos ${qos}: ok`);
  }
  await client.publishAsync("mqttjs/kept", "kept", { qos: 1, retain: true });
  await client.subscribeAsync("mqttjs/kept", { qos: 1 });
  await receives(client, "mqttjs/kept", "kept", 1, true);
  console.log("retained: ok");
  await client.subscribeAsync("mqttjs/will", { qos: 1 });
  const mortal = await connect("mortal", { topic: "mqttjs/will", payload: Buffer.from("gone"), qos: 1, retain: false });
  mortal.on("error", () => {});
  mortal.stream.destroy();
  await receives(client, "mqttjs/will", "gone", 1, false);
  console.log("will: ok");
  await client.endAsync();
  clearTimeout(patience);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
