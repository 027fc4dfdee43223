#!/usr/bin/env bash
# Lints the library part of each published crate with no features, with each feature alone, and with all features.
#
# tests/features.sh            the features, with the versions of Cargo.lock
# tests/features.sh minimal    all features, with the oldest version of each direct dependency that Cargo.toml accepts;
#                              needs the toolchain `nightly`, works in a copy, and downloads the old versions
set -euo pipefail
cd "$(dirname "$0")/.."

# Name, feature and, for a feature that turns on TLS without a cryptography library, the library to add: one line each.
combinations() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys

CRYPTOGRAPHY = {"aws-lc", "ring"}

for package in json.load(sys.stdin)["packages"]:
    if package["publish"] == []:
        continue
    features = package["features"]

    def enabled(feature, seen):
        if feature in features and feature not in seen:
            seen.add(feature)
            for other in features[feature]:
                enabled(other, seen)
        return seen

    print(package["name"], "--no-default-features")
    for feature in sorted(features):
        needs_cryptography = "tokio" in enabled(feature, set()) and "ring" in features
        with_ring = needs_cryptography and not enabled(feature, set()) & CRYPTOGRAPHY
        print(package["name"], "--no-default-features", "--features", feature + (",ring" if with_ring else ""))
    if features:
        print(package["name"], "--all-features")
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
    for package in $(combinations | cut -d ' ' -f 1 | uniq); do
        echo "== $package"
        cargo check --quiet -p "$package" --all-features --locked --target-dir "$target"
    done
    ;;
*)
    echo "usage: tests/features.sh [minimal]" >&2
    exit 2
    ;;
esac
