#!/usr/bin/env python3
"""Runs dunlin in a terminal of 96 columns and draws what it prints as an SVG.

    cargo build --release && python3 docs/transcript.py target/release/dunlin docs/transcript.svg

The run is the sample against a sandbox of its own, whose policy denies the subscription. Needs Python 3.9 or newer on a Unix system.
"""
import fcntl
import html
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time

COLUMNS = 96
LIMIT_SECONDS = 60
# Size of a character cell in the drawing, and the margin around the text.
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 16
STYLE = """
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: #1f2328 }
  rect { fill: #f6f8fa }
  .bold { font-weight: 700 } .dim { opacity: .65 } .red { fill: #cf222e } .magenta { fill: #8250df } .green { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } rect { fill: #161b22 } .red { fill: #ff7b72 } .magenta { fill: #d2a8ff } .green { fill: #3fb950 }
  }
"""
# Codes of ECMA-48 "select graphic rendition" that the tool uses.
CLASSES = {1: "bold", 2: "dim", 31: "red", 32: "green", 35: "magenta"}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, picture = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        sandbox, port = start_sandbox(program, folder)
        try:
            words = ["--endpoint", "sandbox", "--authorizer-name", "DemoUnsigned", "--auth-username", "demo", "--topic", "my/topic"]
            environment = {**os.environ, "DUNLIN_AUTH_PASSWORD": "demo", "DUNLIN_STATE_DIR": folder, "TERM": "xterm-256color"}
            printed = run_in_terminal([program, *words, "--client-id", "mqtt5-sample-1", "--port", str(port)], environment)
        finally:
            sandbox.stdin.close()
            sandbox.wait(LIMIT_SECONDS)
    command = "$ dunlin " + " ".join(words)
    with open(picture, "w", encoding="utf-8") as file:
        file.write(draw([command, *printed.replace("\r\n", "\n").rstrip("\n").split("\n")]))


def start_sandbox(program, folder):
    """Starts a sandbox on a free port; returns it and its port."""
    ready = os.path.join(folder, "ready.json")
    words = ["sandbox", "--port", "0", "--until-eof", "--ready-file", ready, "--state-dir", folder]
    sandbox = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + LIMIT_SECONDS
    while not os.path.exists(ready) and time.monotonic() < until:
        time.sleep(0.05)
    with open(ready, encoding="utf-8") as file:
        return sandbox, json.load(file)["port"]


def run_in_terminal(command, environment):
    """Runs a command whose standard output and standard error are a terminal; returns what it prints."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    printed = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            # Linux reports the end of the other side as an error.
            break
        if not part:
            break
        printed += part
    process.wait(LIMIT_SECONDS)
    os.close(master)
    return printed.decode()


def draw(lines):
    """SVG of lines with escape sequences, one text element a line."""
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img" '
        'aria-label="dunlin explains a denied subscription">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width:.0f}" height="{height}" rx="8"/>',
    ]
    for number, line in enumerate(lines):
        y = MARGIN + number * CELL_HEIGHT + 13
        parts.append(f'<text x="{MARGIN}" y="{y}" xml:space="preserve">{spans(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def spans(line):
    """The text of a line, with a span for each style."""
    out, active = "", []
    for text, codes in re.findall(r"([^\x1b]*)(?:\x1b\[([0-9;]*)m)?", line):
        if text:
            escaped = html.escape(text, quote=False)
            out += f'<tspan class="{" ".join(active)}">{escaped}</tspan>' if active else escaped
        for code in codes.split(";") if codes else []:
            number = int(code or 0)
            # Every other code that the tool prints ends all styles.
            active = [*active, CLASSES[number]] if number in CLASSES else []
    return out


if __name__ == "__main__":
    main()
