// Runs a Lambda handler once: node run.mjs MODULE.FUNCTION, event on standard input, answer on standard output.
//
// The handler's module, MODULE.mjs, lies beside this file. What it logs goes to standard error, as it goes to a log in
// Lambda.

import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";

const [module, name] = process.argv[2].split(".");
console.log = console.info = console.debug = console.error;

const ends = Date.now() + 5000;
const context = {
  functionName: name,
  awsRequestId: randomUUID(),
  getRemainingTimeInMillis: () => Math.max(0, ends - Date.now()),
};

const event = JSON.parse(await text(process.stdin));
const handler = (await import(new URL(`./${module}.mjs`, import.meta.url)))[name];
process.stdout.write(JSON.stringify(await handler(event, context)));
