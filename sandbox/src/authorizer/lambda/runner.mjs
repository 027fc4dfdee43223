// Runs an AWS Lambda handler for Dunlin's sandbox, one call after the other.
//
// Standard input has one JSON object a line: first which handler to run, then one request each. An answer goes to standard
// output as one line behind a marker; whatever else is written there, or to standard error, is for the log.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const write = process.stdout.write.bind(process.stdout);
let setup;
// The function, or the error that AWS reports instead.
let loading;
// Ends the call that runs with its reply.
let finish;

class LoadError extends Error {
  constructor(kind, message, cause) {
    super(message, { cause });
    this.kind = kind;
  }
}

async function load() {
  let module;
  try {
    module = await import(pathToFileURL(setup.file).href);
  } catch (error) {
    if (error?.code === "ERR_MODULE_NOT_FOUND" || error?.code === "MODULE_NOT_FOUND") {
      throw new LoadError("Runtime.ImportModuleError", error.message, error);
    }
    if (error instanceof SyntaxError) {
      throw new LoadError("Runtime.UserCodeSyntaxError", `${error.message} (${setup.file})`, error);
    }
    throw new LoadError(kindOf(error), messageOf(error), error);
  }
  // What CommonJS exports may be visible as the default export only.
  const find = (exported) => setup.function.split(".").reduce((value, name) => value?.[name], exported);
  const found = find(module) ?? find(module.default);
  if (typeof found !== "function") {
    throw new LoadError("Runtime.HandlerNotFound", `${setup.function} is undefined or not exported`);
  }
  return found;
}

const kindOf = (error) => (error instanceof Error ? error.name : typeof error);
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

// Prints an error as AWS logs it: its stack, without the frames of this runner.
function report(kind, message, error) {
  const stack = error instanceof Error ? String(error.stack).split("\n") : [];
  const frames = stack.filter((line) => line.startsWith("    at ") && !line.includes("[eval"));
  write([`[ERROR] ${kind}: ${message}`, ...frames].join("\n") + "\n");
  return { error: kind };
}

function contextOf({ context, remainingMs }, succeed, fail) {
  const ends = performance.now() + remainingMs;
  return {
    ...context,
    callbackWaitsForEmptyEventLoop: true,
    identity: undefined,
    clientContext: undefined,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(ends - performance.now())),
    done: (error, answer) => (error == null ? succeed(answer) : fail(error)),
    succeed,
    fail,
  };
}

// An answer comes by callback, by promise, or is returned; the first one counts.
async function call(request) {
  // Of this call alone: what a handler says after its answer must not become the answer of the next call.
  let resolve;
  const replied = new Promise((resolvePromise) => (resolve = resolvePromise));
  finish = resolve;
  const succeed = (answer) => resolve(answerOf(answer));
  const fail = (error) => resolve(failureOf(error));
  const callback = (error, answer) => (error == null ? succeed(answer) : fail(error));
  let handler;
  try {
    handler = await loading;
  } catch (error) {
    return { ...report(error.kind, error.message, error.cause), ends: true };
  }
  try {
    const returned = handler(request.event, contextOf(request, succeed, fail), callback);
    if (typeof returned?.then === "function") {
      returned.then(succeed, fail);
    } else if (returned !== undefined && handler.length < 3) {
      succeed(returned);
    }
  } catch (error) {
    fail(error);
  }
  return (await replied)();
}

// Both are computed once, when they are sent: a late callback prints nothing.
const answerOf = (answer) => () => {
  try {
    return { answer: JSON.parse(JSON.stringify(answer ?? null) ?? "null") };
  } catch (error) {
    return report("Runtime.MarshalError", `Unable to stringify response body: ${messageOf(error)}`);
  }
};
const failureOf = (error) => () => report(kindOf(error), messageOf(error), error);

// A handler that has nothing left to wait for and hasn't answered returned nothing.
process.on("beforeExit", () => finish?.(answerOf(null)));

function send(reply, sent) {
  write(`${setup.marker}${JSON.stringify(reply)}\n`, sent);
}

const requests = createInterface({ input: process.stdin, crlfDelay: Infinity });
requests.on("close", () => process.exit(0));
requests.on("line", async (line) => {
  if (setup === undefined) {
    setup = JSON.parse(line);
    loading = load();
    // Whether it failed is told by the first call.
    await loading.catch(() => {});
    return void send({ loaded: true });
  }
  // While the handler runs, only what it waits for keeps the process alive.
  process.stdin.unref();
  const request = JSON.parse(line);
  // An answer says which request it is for.
  const reply = { ...(await call(request)), id: request.context.awsRequestId };
  process.stdin.ref();
  send(reply, () => reply.ends && process.exit(1));
});
