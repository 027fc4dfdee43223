// AWS's SDK for JavaScript, version 3, at the sandbox: publishes, reads the retained message, and prints an error's name.
"use strict";

const fs = require("node:fs");
const https = require("node:https");
const { parseArgs } = require("node:util");

const options = {};
for (const name of ["modules", "url", "ca", "key", "secret"]) {
  options[name] = { type: "string" };
}
const typed = parseArgs({ options }).values;
const sdk = require(`${typed.modules}/@aws-sdk/client-iot-data-plane`);

const deadline = setTimeout(() => {
  console.error("nothing happened for 20 s");
  process.exit(1);
}, 20_000);

async function main() {
  const client = new sdk.IoTDataPlaneClient({
    endpoint: typed.url,
    region: "eu-west-1",
    maxAttempts: 1,
    credentials: { accessKeyId: typed.key, secretAccessKey: typed.secret },
    requestHandler: { httpsAgent: new https.Agent({ ca: fs.readFileSync(typed.ca) }) },
  });
  const userProperties = JSON.stringify([{ k: "v" }]);
  const message = { topic: "js/1", qos: 1, retain: true, payload: Buffer.from("hello"), userProperties };
  await client.send(new sdk.PublishCommand(message));
  const read = await client.send(new sdk.GetRetainedMessageCommand({ topic: "js/1" }));
  console.log(`retained: ${read.topic} ${Buffer.from(read.payload)} ${Buffer.from(read.userProperties ?? "none")}`);
  try {
    await client.send(new sdk.GetRetainedMessageCommand({ topic: "none" }));
  } catch (error) {
    console.log(`error: ${error.name} ${error.$metadata.httpStatusCode}`);
  }
  client.destroy();
  clearTimeout(deadline);
}

main().catch((error) => {
  console.log(`error: ${error.name} ${error.$metadata?.httpStatusCode}`);
  process.exit(0);
});
