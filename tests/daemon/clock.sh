#!/bin/busybox sh
# Process 1 of a machine whose clock may be set: it runs the daemon, sets the clock by a year either way,
# and says on the first serial line what the daemon's outputs say afterwards.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mkdir -p /run/ccgpu-node /features
export RUNTIME_DIRECTORY=/run/ccgpu-node

at() {
    sed -n 's/^ *"at": "\([^"]*\)".*/\1/p' /run/ccgpu-node/report.json 2>/dev/null
}

# Waits for a report that is made in this year, and says so with what goes with it.
say() {
    tries=0
    while :; do
        made=$(at)
        case $made in "$1"-*) break ;; esac
        tries=$((tries + 1))
        [ $tries -lt 600 ] || break
        usleep 100000
    done
    # The features are written after the report.
    usleep 500000
    ccgpu-node status >/run/status 2>&1
    status=$?
    echo "@ year $1 at $made until $(sed -n 's/^# +expiry-time=//p' /features/ccgpu-node) status $status" >/dev/ttyS0
}

date -s '2026-05-05 05:05:05' >/dev/null
ccgpu-node daemon --root /host 2>/run/said &
say 2026
date -s '2027-05-05 05:05:05' >/dev/null
say 2027
date -s '2025-05-05 05:05:05' >/dev/null
say 2025
kill -TERM $!
wait $!
echo "@ ended $? features $(ls /features | wc -l)" >/dev/ttyS0
sed 's/^/@ said /' /run/said >/dev/ttyS0
poweroff -f
