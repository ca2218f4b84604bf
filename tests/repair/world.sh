#!/bin/sh
# Turns a directory into the / of a machine, in the namespaces that this script is started in, and stays
# as process 1 of it.
#
#     unshare --mount --pid --fork --net --uts --kill-child sh world.sh ROOT OVER [NAME=PROGRAM...]
#
# OVER is laid over the real /usr. Each PROGRAM of this machine is put at /usr/sbin/NAME. Says its
# process number outside when all is ready.
set -eu
root=$1 over=$2
shift 2
# The /proc that is still mounted counts as the outside does.
read -r outside rest </proc/self/stat

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t overlay -o "ro,lowerdir=$over:/usr" overlay "$root/usr"
for program in "$@"; do
    mount --bind "${program#*=}" "$root/usr/sbin/${program%%=*}"
done
for node in full null random tty urandom zero; do
    mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t proc proc "$root/proc/kernel"
hostname "$(cat "$root/proc/sys/kernel/hostname" 2>/dev/null || echo world)"
ip link set lo up

# The recorded processes are processes of this machine.
namespace=$(readlink /proc/self/ns/mnt)
for link in "$root"/proc/[0-9]*/ns/mnt; do
    [ ! -L "$link" ] || ln -sfn "$namespace" "$link"
    [ ! -L "$link" ] || printf 'Uid:\t0\t0\t0\t0\n' >"${link%/ns/mnt}/status"
done

cd "$root"
pivot_root . .
umount -l .
echo "$outside"
exec </dev/null >/dev/null 2>&1
# Waiting takes in whatever process lost its parent.
while :; do
    sleep 1000 &
    wait
done
