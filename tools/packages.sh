#!/usr/bin/env bash
# Install the Debian packages that Comity can use: an OCI runtime, busybox for the demo image, what
# containers with networks of their own need; with --tests what the tests need besides.
# This is the one list: `make packages` (so `make up`) and CI call it.
# Without root or apt-get it says what is missing and goes on: everything but images works.
set -euo pipefail

missing=()
need() { # PACKAGE COMMAND|FILE: note a package that is not installed
    if [ "${2#/}" = "$2" ]; then command -v "$2" >/dev/null; else [ -e "$2" ]; fi || missing+=("$1")
}
command -v crun >/dev/null || command -v runc >/dev/null || missing+=(crun runc)
[ -x /bin/busybox ] && /bin/busybox true 2>/dev/null || missing+=(busybox-static)
need iproute2 ip
command -v nft >/dev/null || need iptables iptables
need containernetworking-plugins /usr/lib/cni/portmap
need util-linux nsenter
need procps ps
need ca-certificates /etc/ssl/certs/ca-certificates.crt
if [ "${1:-}" = --tests ]; then
    need crun crun
    need runc runc
    need iptables iptables
    need nftables nft
    need docker-registry docker-registry
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "note: ${missing[*]} not installed; images or their networks will not work, the image name \`host\` will"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -5 "$log"
    echo "note: apt-get could not install ${missing[*]}; images or their networks will not work"
    [ "${1:-}" != --tests ]
fi
