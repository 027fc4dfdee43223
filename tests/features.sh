#!/usr/bin/env bash
# Lints the library part of each published crate that has features: with none, with each feature alone, and with all of them.
#
# tests/features.sh            the features, with the versions of Cargo.lock
# tests/features.sh minimal    all features, with the oldest version of each direct dependency that Cargo.toml accepts;
#                              needs the toolchain `nightly`, works in a copy, and downloads the old versions
set -euo pipefail
cd "$(dirname "$0")/.."

# Name and features of each check, one a line. Combinations that turn on the same features are checked once. A feature that turns on TLS
# without a library of cryptography gets one. Crates without features are left out: the other steps check them.
combinations() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys

CRYPTOGRAPHY = {"aws-lc", "ring"}

for package in json.load(sys.stdin)["packages"]:
    features = package["features"]
    if package["publish"] == [] or not features:
        continue

    def enabled(names):
        """The features that these turn on; `default` by itself changes nothing."""
        found = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in features and name not in found:
                found.add(name)
                waiting += features[name]
        return frozenset(found - {"default"})

    checked = set()
    for selection in [[], *([each] for each in sorted(features)), sorted(features)]:
        if "tokio" in enabled(selection) and "ring" in features and not enabled(selection) & CRYPTOGRAPHY:
            selection = [*selection, "ring"]
        if enabled(selection) not in checked:
            checked.add(enabled(selection))
            print(package["name"], "--no-default-features", *(["--features", ",".join(selection)] if selection else []))
'
}

case "${1:-}" in
"")
    while read -r package selection; do
        echo "== $package $selection"
        # shellcheck disable=SC2086
        cargo clippy --quiet -p "$package" $selection -- -D warnings
    done < <(combinations)
    ;;
minimal)
    # `cargo check` of one crate at a time: the others' requirements must not raise the versions that it finds.
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    git archive HEAD | tar -x -C "$copy"
    target=$PWD/target/minimal
    cd "$copy"
    cargo +nightly -Z direct-minimal-versions generate-lockfile
    published=$(cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys

print(*(package["name"] for package in json.load(sys.stdin)["packages"] if package["publish"] != []))
')
    for package in $published; do
        echo "== $package"
        cargo check --quiet -p "$package" --all-features --locked --target-dir "$target"
    done
    ;;
*)
    echo "usage: tests/features.sh [minimal]" >&2
    exit 2
    ;;
esac
