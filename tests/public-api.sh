#!/usr/bin/env bash
# Compares the public items of the three libraries with the texts in the repository: CRATE/public-api.txt.
#
# tests/public-api.sh            compares; fails if an item was added, removed or changed without the text
# tests/public-api.sh write      writes the texts
# tests/public-api.sh examples   lists each function and type with its example; fails if a function or trait has none
#
# Reads the JSON of rustdoc, whose format changes with the toolchain: NIGHTLY names another one than the pinned nightly.
set -euo pipefail
cd "$(dirname "$0")/.."

nightly=${NIGHTLY:-nightly-2026-05-20}
action=${1:-compare}
target=${CARGO_TARGET_DIR:-target}/public-api
failed=false

for folder in codec client sandbox; do
    crate=dunlin-$folder
    cargo "+$nightly" rustdoc --quiet -p "$crate" --lib --all-features --locked --target-dir "$target" -- \
        -Z unstable-options --output-format json
    json=$target/doc/${crate//-/_}.json
    case $action in
    compare)
        python3 tests/public_items/public_items.py text "$json" | diff -u "$folder/public-api.txt" - || failed=true
        ;;
    write)
        python3 tests/public_items/public_items.py text "$json" >"$folder/public-api.txt"
        ;;
    examples)
        echo "== $crate"
        mapfile -t programs < <(find "$folder/examples" -name '*.rs' 2>/dev/null | sort)
        python3 tests/public_items/public_items.py examples "$json" "${programs[@]}" "$folder/src/lib.rs" || failed=true
        ;;
    *)
        echo "usage: tests/public-api.sh [write|examples]" >&2
        exit 2
        ;;
    esac
done

if "$failed"; then
    [ "$action" != compare ] || echo "the public items changed: tests/public-api.sh write, and a line in CHANGELOG.md" >&2
    exit 1
fi
