"""Runs an AWS Lambda handler for Dunlin's sandbox, one call after the other.

Standard input has one JSON object a line: first which handler to run, then one request each. An answer goes to standard
output as one line behind a marker; whatever else is written there, or to standard error, is for the log.
"""

import sys

# The folder where this runs: a file of the handler there must not hide a module of the standard library.
if sys.path and sys.path[0] == "":
    del sys.path[0]

import decimal
import importlib
import json
import logging
import os
import time
import traceback

# Standard output under a number of its own, which a handler doesn't know and children don't inherit.
OUTPUT = os.dup(1)


class Context:
    """What AWS Lambda gives a handler besides the event."""

    identity = None
    client_context = None

    def __init__(self, facts, remaining_ms):
        self.aws_request_id = facts["awsRequestId"]
        self.function_name = facts["functionName"]
        self.function_version = facts["functionVersion"]
        self.invoked_function_arn = facts["invokedFunctionArn"]
        self.memory_limit_in_mb = facts["memoryLimitInMB"]
        self.log_group_name = facts["logGroupName"]
        self.log_stream_name = facts["logStreamName"]
        self._ends = time.monotonic() + remaining_ms / 1000

    def get_remaining_time_in_millis(self):
        return max(0, int((self._ends - time.monotonic()) * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class Encoder(json.JSONEncoder):
    """JSON as AWS's runtime writes it: numbers of DynamoDB are numbers."""

    def default(self, value):
        return float(value) if isinstance(value, decimal.Decimal) else super().default(value)


class RequestId(logging.Filter):
    """Adds the id of the request to each record of `logging`."""

    current = ""

    def filter(self, record):
        record.aws_request_id = RequestId.current
        return True


def set_up_logging():
    # A handler that sets a level on the root logger expects its lines to be written, as they are in AWS.
    handler = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(RequestId())
    logging.getLogger().addHandler(handler)


def load(setup):
    """The function, or the error that AWS reports instead: its type, its message and its traceback."""
    module, function = setup["module"], setup["function"]
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        raise LoadError("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}", error)
    except SyntaxError as error:
        place = f"{error} ({error.filename}, line {error.lineno})" if error.filename else str(error)
        raise LoadError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {place}", error)
    except Exception as error:
        raise LoadError(type(error).__name__, str(error), error)
    found = getattr(loaded, function, None)
    if not callable(found):
        raise LoadError("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module}'", None)
    return found


class LoadError(Exception):
    def __init__(self, kind, message, error):
        super().__init__(message)
        self.kind, self.message, self.error = kind, message, error


def write(text):
    """Writes to the log or the sandbox, behind what the handler has printed.

    A handler may close or replace standard output; its answer and its errors don't depend on it.
    """
    try:
        sys.stdout.flush()
    except Exception:
        pass
    rest = memoryview(text.encode("utf-8", "backslashreplace"))
    while rest:
        rest = rest[os.write(OUTPUT, rest) :]


def report(kind, message, error):
    """Prints an error as AWS logs it, without the frames of this runner and of the import system."""
    write(f"[ERROR] {kind}: {message}\n")
    frames = traceback.extract_tb(error.__traceback__) if error else []
    own = [frame for frame in frames if frame.filename != "<string>" and "<frozen" not in frame.filename]
    if own:
        write("Traceback (most recent call last):\n" + "".join(traceback.format_list(own)))
    return {"error": kind}


def call(handler, request):
    context = Context(request["context"], request["remainingMs"])
    RequestId.current = context.aws_request_id
    try:
        answer = handler(request["event"], context)
    except Exception as error:
        return report(type(error).__name__, str(error), error)
    try:
        # NaN and Infinity are no JSON: the answer would be refused with less to go by.
        return {"answer": json.loads(json.dumps(answer, cls=Encoder, allow_nan=False))}
    except (TypeError, ValueError, RecursionError) as error:
        return report("Runtime.MarshalError", f"Unable to marshal response: {error}", None)


def main():
    # What the handler starts must read no requests.
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # One stream, so that the log has the order in which things were printed.
    os.dup2(1, 2)
    setup = json.loads(requests.readline())

    def send(reply):
        write(setup["marker"] + json.dumps(reply) + "\n")

    # The folder of the code is not written to, and its modules are found first.
    sys.dont_write_bytecode = True
    sys.path.insert(0, setup["code"])
    set_up_logging()
    handler, failed = None, None
    try:
        handler = load(setup)
    except LoadError as error:
        failed = report(error.kind, error.message, error.error)
    send({"loaded": True})
    for line in requests:
        request = json.loads(line)
        # An answer says which request it is for: a handler that forks answers twice.
        answered = {"id": request["context"]["awsRequestId"]}
        if failed:
            send({**failed, **answered, "ends": True})
            sys.exit(1)
        send({**call(handler, request), **answered})


main()
