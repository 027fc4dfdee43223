#!/usr/bin/env bash
# Runs each example of the client against a real server: mosquitto, and the sandbox for custom authorizers. Not
# `exactly_once` and `client_certificate`, which tests run: tests/tests/crash/ and client/tests/transport/.
# Each command is bounded in time; both servers are ended at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v mosquitto >/dev/null || { echo "mosquitto isn't installed: apt-get install mosquitto" >&2; exit 1; }

folder=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

# Built first, so that the times below are those of the examples.
cargo build -q -p dunlin-client --all-features --examples
cargo build -q -p dunlin-sandbox --examples
cargo build -q -p dunlin
target=${CARGO_TARGET_DIR:-target}/debug
example() { timeout 60 "$target/examples/$1" "${@:2}"; }

# mosquitto without a configuration file listens on loopback only, and takes everybody.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mosquitto -p "$port" >"$folder/mosquitto.log" 2>&1 &
servers+=($!)
url=mqtt://127.0.0.1:$port
for _ in $(seq 50); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    sleep 0.1
done

echo "== first"
example first "$url" | grep -q "received on dunlin/first/temperature: 21.5"
echo "== hello"
example hello "$url" | grep -qx "hello/lamp on"
echo "== regions"
example regions mqtt://127.0.0.1:1 "$url" | grep -qx "connected"
echo "== subscribe, publish"
example subscribe "$url" dunlin/example 100 >"$folder/lines" 2>"$folder/events" &
subscriber=$!
until grep -q connected "$folder/events"; do sleep 0.1; done
sleep 0.5 # SUBACK
seq 100 | example publish "$url" dunlin/example | grep -qx "100 acknowledged, 0 failed"
wait "$subscriber"
[ "$(wc -l <"$folder/lines")" -eq 100 ]
echo "== request_response"
example request_response "$url" | grep -qx "21.5 degrees"
echo "== many_devices"
example many_devices "$url" 200 | grep -qx "200 devices reported, 0 failed"
echo "== without_tokio"
example without_tokio "$url" | grep -qx "on"
echo "== own_transport"
example own_transport | grep -qx "acknowledged"
echo "== durable_session"
# Without a server, then with one: the second run sends what the first one has stored.
example durable_session mqtt://127.0.0.1:1 "$folder/outbox" one two >"$folder/lines"
grep -qx "2 stored" "$folder/lines" && grep -qx "0 acknowledged" "$folder/lines"
example durable_session "$url" "$folder/outbox" three >"$folder/lines"
grep -qx "2 of earlier runs" "$folder/lines" && grep -qx "3 acknowledged" "$folder/lines"
echo "== scram"
example scram >/dev/null

echo "== lamp, with its tests"
example lamp | grep -qx "acknowledged"
cargo test -q -p dunlin-sandbox --example lamp

echo "== custom_authorizer"
printf 'key = [{ id = "AKID", secret = "s3cret" }]\n' >"$folder/sandbox.toml"
timeout 60 "$target/dunlin" sandbox --config "$folder/sandbox.toml" --port 0 --wss 0 --https 0 --anonymous --state-dir "$folder/state" --ready-file "$folder/ready" >"$folder/sandbox.log" 2>&1 &
servers+=($!)
until [ -s "$folder/ready" ]; do sleep 0.1; done
read -r sandbox_port ca < <(python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(r["port"], r["ca"])' "$folder/ready")
{
    echo tok
    echo hello
    "$target/dunlin" auth sign --key "$folder/state/sandbox/signing.pem" --token-file <(printf hello)
} >"$folder/token"
example custom_authorizer "localhost:$sandbox_port" DemoSigned "$folder/token" "$ca" | grep -qx "Hello from Rust"
echo "== websocket_sigv4"
read -r wss_port < <(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["wss_port"])' "$folder/ready")
AWS_ACCESS_KEY_ID=AKID AWS_SECRET_ACCESS_KEY=s3cret AWS_SESSION_TOKEN=token \
    example websocket_sigv4 "wss://localhost:$wss_port/mqtt" eu-west-1 "$ca" | grep -qx connected
echo "== http_publish"
read -r https_port < <(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["https_port"])' "$folder/ready")
printf 'one\ntwo\n' | example http_publish "https://localhost:$https_port" test/topic DemoSigned "$folder/token" "$ca" >"$folder/lines"
[ "$(grep -c "^published, request ." "$folder/lines")" -eq 2 ]
echo "== http_publish_sigv4"
AWS_ACCESS_KEY_ID=AKID AWS_SECRET_ACCESS_KEY=s3cret AWS_SESSION_TOKEN=token \
    example http_publish_sigv4 "https://localhost:$https_port" eu-west-1 "a b/c" on "$ca" | grep -q "^published, request ."
if AWS_ACCESS_KEY_ID=AKID AWS_SECRET_ACCESS_KEY=wrong \
    example http_publish_sigv4 "https://localhost:$https_port" eu-west-1 "a b/c" on "$ca" 2>"$folder/error"; then exit 1; fi
grep -q "status: 403" "$folder/error"
echo "all examples passed"
