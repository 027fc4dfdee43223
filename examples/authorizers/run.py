"""Runs a Lambda handler once: python3 run.py MODULE.FUNCTION, event on standard input, answer on standard output.

The handler's module lies beside this file. What it prints goes to standard error, as it goes to a log in Lambda.
"""

import contextlib
import importlib
import json
import os
import sys
import time
import uuid


class Context:
    """As much of Lambda's context as an authorizer looks at."""

    def __init__(self, name, seconds):
        self.function_name = name
        self.aws_request_id = str(uuid.uuid4())
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self):
        return max(0, int((self._ends - time.monotonic()) * 1000))


def main():
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    module, _, function = sys.argv[1].rpartition(".")
    event = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        handler = getattr(importlib.import_module(module), function)
        answer = handler(event, Context(function, seconds=5))
    json.dump(answer, sys.stdout)


main()
