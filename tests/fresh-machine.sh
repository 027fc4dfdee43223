#!/usr/bin/env bash
# Runs the README's two commands as a newcomer would: in an empty Debian, as a user without rights, with only what the
# README says has to be installed. Needs root, debootstrap, and the Rust toolchain of this machine, which is copied in.
#
#   tests/fresh-machine.sh [FOLDER]     FOLDER (default: a temporary one) holds the root; KEEP=1 leaves it there
#
# Takes 10 to 30 minutes and 5 GB. What is committed is tested, not what is changed since.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "fresh-machine.sh needs root, for chroot" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "fresh-machine.sh needs debootstrap: apt-get install debootstrap" >&2; exit 2; }

root=${1:-$(mktemp -d)}
home=$root/home/newcomer

clean_up() {
    for mounted in proc dev; do
        mountpoint -q "$root/$mounted" && umount -l "$root/$mounted"
    done
    # Never into a mount that is still there.
    if [ -z "${KEEP:-}" ] && ! mountpoint -q "$root/proc" && ! mountpoint -q "$root/dev"; then
        rm -rf --one-file-system "$root"
    fi
}
trap clean_up EXIT

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
as_newcomer() {
    chroot --userspec=newcomer:newcomer "$root" /usr/bin/env -i \
        HOME=/home/newcomer PATH=/opt/rust/bin:/usr/bin:/bin ${SSL_CERT_FILE:+SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt} \
        sh -c "cd /home/newcomer/dunlin && $1"
}

echo "== an empty Debian"
[ -x "$root/usr/bin/apt-get" ] || debootstrap --variant=minbase bookworm "$root" >/dev/null
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"

# The line of the README, to the word.
packages=$(sed -n 's/^ *\(sudo \)\?apt-get install //p' README.md | head -n 1)
echo "== what the README says has to be there: $packages"
inside apt-get update -q >/dev/null
# shellcheck disable=SC2086
inside apt-get install -q -y --no-install-recommends $packages >/dev/null
# A network with a certificate authority of its own.
if [ -n "${SSL_CERT_FILE:-}" ]; then
    mkdir -p "$root/etc/ssl/certs"
    cp -L "$SSL_CERT_FILE" "$root/etc/ssl/certs/ca-certificates.crt"
fi
mkdir -p "$root/opt/rust"
tar -c -C "$(rustc --print sysroot)" --exclude=share/doc . | tar -x -C "$root/opt/rust"
echo "== not there: $(inside sh -c 'for each in kill ps openssl python3 node mosquitto; do
    [ -x "/usr/bin/$each" ] || [ -x "/usr/sbin/$each" ] || printf "%s " "$each"; done')"

inside id newcomer >/dev/null 2>&1 || inside useradd --create-home newcomer
mkdir -p "$home/dunlin"
# Sources of an earlier run; what it built stays.
find "$home/dunlin" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
git archive HEAD | tar -x -C "$home/dunlin"
inside chown -R newcomer:newcomer /home/newcomer

for command in "cargo run --release -- demo" "cargo test --workspace"; do
    echo "== $command"
    began=$SECONDS
    as_newcomer "$command"
    echo "== $command: $(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s; target/ has $(du -sh "$home/dunlin/target" | cut -f 1)"
done
echo "== both commands passed"
