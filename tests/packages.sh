#!/usr/bin/env bash
# Packs the crates as they would be published, and runs their own tests from the archives in an empty folder.
#
# tests/packages.sh [FOLDER]   the folder is made, and kept if it is named
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
crates="dunlin-codec dunlin-test-support dunlin-client dunlin-sandbox dunlin"

if [ $# -gt 0 ]; then
    folder=$1
    mkdir -p "$folder"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

# Each crate after all that it needs from the registry, its tests included: cargo publishes in this order, and refuses a circle.
cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys

order = sys.argv[1:]
for package in json.load(sys.stdin)["packages"]:
    for needed in package["dependencies"]:
        # A path without a version is left out of the archive.
        if package["name"] in order and needed.get("path") and needed["req"] != "*":
            assert needed["name"] in order, (package["name"], needed["name"])
            assert order.index(needed["name"]) < order.index(package["name"]), (package["name"], needed["name"])
' $crates

# The archives, without building them here: what is unpacked below is built.
selected=()
for crate in $crates; do selected+=(-p "$crate"); done
cargo package "${selected[@]}" --no-verify --locked --target-dir "$folder/target"

# Unpacked side by side. The crates find each other here, as they would find each other at the registry.
{
    echo '[workspace]'
    echo 'resolver = "3"'
    printf 'members = ['
    for crate in $crates; do printf '"%s-%s", ' "$crate" "$version"; done
    echo ']'
    echo '[patch.crates-io]'
    for crate in $crates; do echo "$crate = { path = \"$crate-$version\" }"; done
} >"$folder/Cargo.toml"
for crate in $crates; do
    rm -rf "${folder:?}/$crate-$version"
    tar -xzf "$folder/target/package/$crate-$version.crate" -C "$folder"
done
cp Cargo.lock "$folder/"

# Each crate alone, with its default features and with all of them.
for crate in $crates; do
    echo "== $crate"
    cargo test --manifest-path "$folder/$crate-$version/Cargo.toml" --target-dir "$folder/target"
    cargo test --manifest-path "$folder/$crate-$version/Cargo.toml" --target-dir "$folder/target" --all-features
done
