#!/usr/bin/env bash
# Install the Debian packages that Comity can use: an OCI runtime, busybox for the demo image,
# and what containers with networks of their own need.
# Without root or apt-get it says what is missing and goes on: everything but images works.
set -euo pipefail

missing=()
command -v crun >/dev/null || command -v runc >/dev/null || missing+=(crun runc)
[ -x /bin/busybox ] && /bin/busybox true 2>/dev/null || missing+=(busybox-static)
command -v ip >/dev/null || missing+=(iproute2)
command -v iptables >/dev/null || missing+=(iptables)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "note: ${missing[*]} not installed; images will not run, the image name \`host\` will"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -5 "$log"
    echo "note: apt-get could not install ${missing[*]}; images will not run"
fi
