#!/usr/bin/env bash
# Judges a mount by tools that others judge file systems by: fio with verification, and stress-ng beside readers that
# know every byte. Installs them on Debian and Ubuntu if it may. conformance.sh [SECONDS], by default 60.
#
# What needs a file system that can be written to does not apply, and is not run: fio's writing jobs (the file that is
# verified is written beside the mount and packed), stress-ng's stressors that make their own files (all of its class
# "filesystem" but fstat, those that map files too), xfstests (every group of it makes and writes a scratch file system
# first). What fsx and pjdfstest have of reading is in the tests of integration/conform_test.go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-60}

for tool in fio stress-ng; do
  command -v "$tool" >/dev/null && continue
  echo "installing $tool"
  apt-get install -y --no-install-recommends "$tool" >/dev/null
done

work=$(mktemp -d)
finish() {
  "$work/scapefs" umount "$work/mount" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
mkdir "$work/plain" "$work/packed" "$work/mount"
CGO_ENABLED=0 go build -o "$work/scapefs" ./cmd/scapefs

echo "=== fio: a file with a checksum in every block, written plain, packed, and verified through the mount"
job=(--name=verify --size=64m --bs=64k --verify=crc32c --randseed=1 --allow_file_create=0 --verify_state_save=0)
fio "${job[@]}" --filename="$work/plain/fio.safetensors" --allow_file_create=1 --rw=write --do_verify=0 \
  --output="$work/fio-write.txt"
"$work/scapefs" pack -o "$work/packed" "$work/plain"
"$work/scapefs" mount --cache-size 32MiB "$work/packed" "$work/mount"
file=$work/mount/fio.safetensors
cmp "$work/plain/fio.safetensors" "$file"
for engine in psync mmap libaio io_uring; do
  for order in read randread; do
    direct=0
    case $engine in libaio | io_uring) direct=1 ;; esac
    fio "${job[@]}" --filename="$file" --rw=$order --ioengine=$engine --direct=$direct --iodepth=8 --readonly \
      --verify_only=0 --verify_fatal=1 --invalidate=1 --output="$work/fio.txt" ||
      { cat "$work/fio.txt"; exit 1; }
    echo "fio $engine $order direct=$direct: verified"
  done
done

echo "=== fio: mixed readers for $seconds s"
fio --filename="$file" --allow_file_create=0 --readonly --time_based --runtime="$seconds" --group_reporting \
  --name=small --rw=randread --bs=4k --numjobs=2 --ioengine=psync \
  --name=mapped --rw=randread --bs=4k --numjobs=2 --ioengine=mmap \
  --name=large --rw=read --bs=1m --numjobs=2 --ioengine=psync --output="$work/fio.txt" || { cat "$work/fio.txt"; exit 1; }
grep -E 'err=|READ:' "$work/fio.txt"

echo "=== stress-ng: stat of all that the mount shows, and mappings that fight for memory, beside readers, for $seconds s"
stress-ng --temp-path "$work" --fstat 2 --fstat-dir "$work/mount" --mmap 2 --mmap-bytes 256m --timeout "$seconds" \
  >"$work/stress.txt" 2>&1 &
stress=$!
go run ./integration/torture -soak -for "${seconds}s" -program "$work/scapefs" -quiet
wait "$stress" || { cat "$work/stress.txt"; exit 1; }
cmp "$work/plain/fio.safetensors" "$file"

echo "=== all right"
