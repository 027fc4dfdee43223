#!/usr/bin/env python3
"""Measures how the cost of Dunlin grows with clients and with payload size, and draws it.

    cargo build --release
    docs/scale.py measure     # about four minutes; writes docs/scale.json
    docs/scale.py draw        # docs/scale.svg, and the tables in docs/scale.md

Needs nothing but Python 3 and the tool. Other work on the machine shows in the figures.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOL = HERE.parent / "target" / "release" / "dunlin"
DATA, PLOT, PAGE = (HERE / f"scale.{kind}" for kind in ("json", "svg", "md"))

CLIENTS = [1, 10, 100, 1000, 10000]
# Below what AWS IoT Core, and so the sandbox, takes of one client.
MESSAGES_A_SECOND = 90
SIZES = [24, 64, 256, 1024, 4096, 16384, 65536]

CONFIG = """\
profile = "mqtt5"
demo = false
[[authorizer]]
name = "Anybody"
default = true
lambda.static = "answer.json"
"""
ANSWER = {
    "isAuthenticated": True,
    "principalId": "anybody",
    "disconnectAfterInSeconds": 86400,
    "refreshAfterInSeconds": 86400,
    "policyDocuments": [
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    ],
}


def bench(*words):
    print("dunlin bench", *words, file=sys.stderr)
    run = subprocess.run([TOOL, "bench", *words, "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def fleets():
    """The same number of messages a second, from ever more clients."""
    for clients in CLIENTS:
        interval = f"{1_000_000 * clients // MESSAGES_A_SECOND}us"
        yield bench("fleet", f"--clients={clients}", f"--interval={interval}", "--duration=20s", "--connect-rate=0")


def payloads():
    """As many messages as go, ever larger."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "sandbox.toml").write_text(CONFIG)
        (folder / "answer.json").write_text(json.dumps(ANSWER))
        command = [TOOL, "sandbox", "--port=0", "--until-eof", "--config", folder / "sandbox.toml"]
        command += ["--state-dir", folder, "--ready-file", folder / "ready.json"]
        sandbox = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            while not (folder / "ready.json").exists():
                time.sleep(0.05)
            ready = json.loads((folder / "ready.json").read_text())
            to = [f"--endpoint=localhost:{ready['port']}", f"--ca={ready['ca']}", "--clients=10"]
            for size in SIZES:
                yield bench("pubsub", *to, f"--size={size}", "--duration=5s", "--in-flight=10")
        finally:
            sandbox.stdin.close()
            sandbox.wait(10)


def measure():
    data = {"fleets": list(fleets()), "payloads": list(payloads())}
    DATA.write_text(json.dumps(data, indent=1) + "\n")


def fleet_rows(data):
    for report in data["fleets"]:
        publish, again = report["publish"], report["reconnect"]
        yield {
            "clients": report["clients"],
            "connections a second": report["connect"]["per_second"],
            "back after (s)": again["seconds"],
            "messages a second": publish["per_second"],
            "CPU us a message": 1e6 * publish["cpu_s"] / publish["sent"],
            "KiB a client": report["memory_each_kib"],
            "KiB a client, server": report["server_process"]["resident_kib"] / report["clients"],
            "p50 (ms)": publish["acknowledge_ms"]["p50"],
            "p99 (ms)": publish["acknowledge_ms"]["p99"],
            "p99.9 (ms)": publish["acknowledge_ms"]["p99_9"],
            "lost": publish["lost"],
        }


def payload_rows(data):
    for report in data["payloads"]:
        size = report["load"]["size"]
        yield {
            "payload": size,
            "messages a second": report["received_per_second"],
            "MiB a second": report["received_per_second"] * size / 2**20,
            "CPU us a message": 1e6 * report["process"]["cpu_s"] / report["sent"],
            "p50 (ms)": report["end_to_end_ms"]["p50"],
            "p99 (ms)": report["end_to_end_ms"]["p99"],
            "lost": report["lost"],
        }


def number(value):
    if isinstance(value, int) or value >= 1000:
        return f"{round(value):,}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(rows):
    rows = list(rows)
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "--:|" * len(rows[0])]
    lines += ["| " + " | ".join(number(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines)


class Panel:
    """Lines over a logarithmic x, with a logarithmic y."""

    WIDTH, HEIGHT, LEFT, TOP = 380, 250, 70, 56

    def __init__(self, at, title, x_title, y_title, ticks, bottom, top):
        self.x0 = at + self.LEFT
        self.ticks, self.low, self.high = ticks, math.log10(bottom), math.log10(top)
        self.parts = [text(self.x0, 24, title, "start", "bold 15px")]
        self.parts.append(text(self.x0 + self.WIDTH / 2, self.TOP + self.HEIGHT + 42, x_title))
        self.parts.append(text(self.x0 - 50, self.TOP - 12, y_title, "start"))
        for power in range(math.ceil(self.low), math.floor(self.high) + 1):
            y = self.y(10**power)
            self.parts.append(line(self.x0, y, self.x0 + self.WIDTH, y, "#ddd"))
            self.parts.append(text(self.x0 - 8, y + 4, f"{10**power:,}" if power >= 0 else f"{10**power}", "end"))
        for tick in ticks:
            x = self.x(tick)
            self.parts.append(line(x, self.TOP + self.HEIGHT, x, self.TOP + self.HEIGHT + 5, "#888"))
            name = f"{tick:,}" if tick < 4096 else (f"{tick // 1024} Ki" if tick % 1024 == 0 else f"{tick:,}")
            self.parts.append(text(x, self.TOP + self.HEIGHT + 20, name))

    def x(self, value):
        low, high = math.log10(self.ticks[0]), math.log10(self.ticks[-1])
        return self.x0 + self.WIDTH * (math.log10(value) - low) / (high - low)

    def y(self, value):
        share = (math.log10(max(value, 1e-9)) - self.low) / (self.high - self.low)
        return self.TOP + self.HEIGHT * (1 - share)

    def draw(self, name, color, points):
        points = [(self.x(x), self.y(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in points]
        x, y = points[len(points) // 2]
        self.parts.append(text(x, y - 10, name, fill=color))


def text(x, y, words, anchor="middle", font="12px", fill="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="font:{font} sans-serif" fill="{fill}">{words}</text>'


def line(x1, y1, x2, y2, color):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def draw():
    data = json.loads(DATA.read_text())
    of_clients, of_payloads = list(fleet_rows(data)), list(payload_rows(data))

    left = Panel(0, "Cost of a fleet", "clients (TLS, one process)", "KiB, us or ms", CLIENTS, 0.1, 10000)
    over = lambda column: [(row["clients"], row[column]) for row in of_clients]
    left.draw("KiB a client", "#1f6fb2", over("KiB a client")[1:])
    left.draw("CPU us a message", "#c2452d", over("CPU us a message"))
    left.draw("p99 ms", "#3c8d40", over("p99 (ms)"))

    right = Panel(500, "Payload size, 10 pairs", "bytes of payload", "a second", SIZES, 0.1, 1000000)
    over = lambda column: [(row["payload"], row[column]) for row in of_payloads]
    right.draw("messages a second", "#1f6fb2", over("messages a second"))
    right.draw("MiB a second", "#c2452d", over("MiB a second"))

    parts = "\n".join(left.parts + right.parts)
    size = 'width="980" height="370" viewBox="0 0 980 370"'
    PLOT.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<rect width="980" height="370" fill="white"/>\n{parts}\n</svg>\n'
    )
    page = PAGE.read_text()
    for name, rows in (("fleets", of_clients), ("payloads", of_payloads)):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        head, rest = page.split(begin)
        page = f"{head}{begin}\n{table(rows)}\n{end}{rest.split(end)[1]}"
    PAGE.write_text(page)


if __name__ == "__main__":
    commands = {"measure": measure, "draw": draw}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    os.umask(0o022)
    commands[sys.argv[1]]()
