#!/usr/bin/env bash
# Runs the README's two commands as a newcomer would: in an empty Debian, as a user without rights, with only what the
# README says has to be installed. Needs root and debootstrap.
#
#   tests/fresh-machine.sh            in a temporary folder, which is removed at the end
#   tests/fresh-machine.sh FOLDER     in a folder that is new or empty, or that this script has made; it stays
#
# The Rust toolchain is this machine's, copied in. Takes 10 to 30 minutes and 8 GB. What is committed is tested, not what is
# changed since.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "fresh-machine.sh needs root, for chroot" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "fresh-machine.sh needs debootstrap: apt-get install debootstrap" >&2; exit 2; }

marker=made-by-fresh-machine
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    root=$(cd "$1" && pwd)
    if [ ! -e "$root/$marker" ] && [ -n "$(ls -A "$root")" ]; then
        echo "$root has files that this script hasn't made; nothing was changed" >&2
        exit 2
    fi
else
    root=$(mktemp -d)
fi
cd "$(dirname "$0")/.."
home=$root/home/newcomer

clean_up() {
    for mounted in proc dev; do
        if mountpoint -q "$root/$mounted"; then umount -l "$root/$mounted"; fi
    done
    # Only what this run has made, and never into a mount that is still there.
    if [ -z "${1:-}" ] && ! mountpoint -q "$root/proc" && ! mountpoint -q "$root/dev"; then
        rm -rf --one-file-system "$root"
    fi
}
# The folder that was named stays.
trap 'clean_up "'"${1:+stays}"'"' EXIT

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
as_newcomer() {
    chroot --userspec=newcomer:newcomer "$root" /usr/bin/env -i \
        HOME=/home/newcomer PATH=/opt/rust/bin:/usr/bin:/bin ${SSL_CERT_FILE:+SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt} \
        sh -c "cd /home/newcomer/dunlin && $1"
}

echo "== an empty Debian"
if [ ! -e "$root/$marker" ]; then
    debootstrap --variant=minbase bookworm "$root" >/dev/null
    touch "$root/$marker"
fi
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"

# The line of the README, to the word.
packages=$(sed -n 's/^.*apt-get install //p' README.md | head -n 1)
[ -n "$packages" ] || { echo "README.md has no line with apt-get install" >&2; exit 1; }
echo "== what the README says has to be there: $packages"
inside apt-get update -q >/dev/null
# shellcheck disable=SC2086
inside apt-get install -q -y --no-install-recommends $packages >/dev/null
# A network with a certificate authority of its own.
if [ -n "${SSL_CERT_FILE:-}" ]; then
    mkdir -p "$root/etc/ssl/certs"
    cp -L "$SSL_CERT_FILE" "$root/etc/ssl/certs/ca-certificates.crt"
fi
if [ ! -x "$root/opt/rust/bin/cargo" ]; then
    mkdir -p "$root/opt/rust"
    tar -c -C "$(rustc --print sysroot)" --exclude=share/doc . | tar -x -C "$root/opt/rust"
fi
for program in kill ps python3 node mosquitto; do
    if [ -x "$root/usr/bin/$program" ] || [ -x "$root/usr/sbin/$program" ]; then
        echo "$program is there: this is no empty machine any more" >&2
        exit 1
    fi
done

# Nothing of an earlier run is left.
inside id newcomer >/dev/null 2>&1 || inside useradd --create-home newcomer
rm -rf "$home/dunlin" "$home/.cargo"
mkdir -p "$home/dunlin"
git archive HEAD | tar -x -C "$home/dunlin"
inside chown -R newcomer:newcomer /home/newcomer

run() {
    echo "== $1"
    local began=$SECONDS
    as_newcomer "$1"
    echo "== $1: $(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s, $(du -sh "$home/dunlin/target/$2" | cut -f 1)"
}
run "cargo run --release -- demo" release
run "cargo test --workspace" debug
echo "== both commands passed"
