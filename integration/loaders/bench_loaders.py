#!/usr/bin/env python3
"""Times the real loaders on a cold mount and on the plain files, turn by turn, each bit-equal or it does not count.

usage: bench_loaders.py [--scapefs bin/scapefs] [--kind big] [--rounds 3] [--json FILE]     measure
       bench_loaders.py --doc FILE RESULT                                                   put a result into a page

The seconds are the loader's own, from the first file opened to the last tensor copied; imports do not count. Cold means
that neither the model's files nor its archives are in the page cache, and that the mount is a new one. Memory is at hand.
"""
import argparse
import json
import mmap
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time

import run_all

# Those that load a model the way its users do; the others differ from them in what they do to no file.
CHECKS = ["safetensors/pt", "safetensors/open-pt-pread", "safetensors/pt-pread", "transformers/default",
          "vllm_iter/default", "vllm_iter/eager", "vllm_iter/prefetch", "vllm_iter/threads", "sglang_style/threads32",
          "fastsafetensors/files", "runai/io_uring_direct", "rust/mmap"]

BEGIN, END = "<!-- bench_loaders: begin -->\n", "<!-- bench_loaders: end -->"


def main():
    args = parse_args()
    if args.doc:
        return write_doc(args.doc, json.loads(args.result.read_text()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unmounts on its way out
    result = measure(args)
    sys.stdout.write(table(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if result["failed"] else 0


def measure(args):
    plain, packed, point = prepare(args)
    args.ref, args.timeout = plain, 180
    start = time.monotonic()
    seconds, failed = {}, []
    for i in range(args.rounds):
        for check in args.checks:
            order = ["plain", "mount"] if i % 2 == 0 else ["mount", "plain"]
            for where in order:
                outcome = load(args, check, where, plain, packed, point)
                print("round %d  %-26s %-5s  %s %6.2f s" % (i + 1, check, where, outcome.state, outcome.result.get("seconds", 0)),
                      file=sys.stderr, flush=True)
                if outcome.state == "pass":
                    seconds.setdefault(check, {"plain": [], "mount": []})[where].append(outcome.result["seconds"])
                elif outcome.state == "fail":
                    failed.append("%s on %s: %s" % (check, where, outcome.detail))
    return {
        "machine": {"cpu": cpu(), "cores": os.cpu_count(), "kernel": platform.release(), "day": time.strftime("%Y-%m-%d")},
        "bytes": size_of(plain, "*.safetensors"), "stored": size_of(packed, "*.scape"),
        "rounds": args.rounds, "took": round(time.monotonic() - start), "seconds": seconds, "failed": failed,
    }


def prepare(args):
    """The model, its archives, packed anew, and a place to mount them."""
    base = args.dir.resolve() / args.kind
    plain, packed, point = base / "plain", base / "packed", base / "mnt"
    point.mkdir(parents=True, exist_ok=True)
    if not (plain / "model.safetensors.index.json").exists():
        run([args.venv / "bin" / "python", run_all.HERE / "make_model.py", plain, args.kind])
    run(["rm", "-rf", packed])
    run([args.scapefs, "pack", "-o", packed, plain])
    return plain, packed, point


def load(args, check, where, plain, packed, point):
    forget(plain)
    forget(packed)
    take_memory(3 * size_of(plain, "*"))  # the files or archives, the image, the tensors
    if where == "plain":
        return run_all.run(check, args, plain)
    run([args.scapefs, "mount", packed, point])
    try:
        return run_all.run(check, args, point)
    finally:
        run([args.scapefs, "umount", point])


def forget(directory):
    """Has the page cache forget all files in directory."""
    for path in directory.iterdir():
        with open(path, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def take_memory(size):
    """Takes size bytes in large pages and as many in small ones, writes to them, and gives them back, as internal/hostmem.

    A virtual machine's host takes back memory that is not in use, and gives it again slowly, which would be measured as
    the slowness of whoever needs it next. A rest follows, as a host may count the processor time that this took."""
    taken = []
    for advice in (mmap.MADV_HUGEPAGE, mmap.MADV_NOHUGEPAGE):
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(advice)
        for at in range(0, size, mmap.PAGESIZE):
            memory[at] = 1
        taken.append(memory)
    for memory in taken:
        memory.close()
    time.sleep(0.3)


def run(command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def size_of(directory, pattern):
    return sum(path.stat().st_size for path in directory.glob(pattern))


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def table(result):
    """What was measured, as Markdown."""
    machine = result["machine"]
    lines = [
        "%d cores (%s), Linux %s, %s; %d MB in %d MB of archives; medians of %d rounds, a run of %d s."
        % (machine["cores"], machine["cpu"], machine["kernel"], machine["day"], result["bytes"] / 1e6, result["stored"] / 1e6,
           result["rounds"], result["took"]),
        "",
        "| loader | plain, s | from–to | mount, s | from–to | mount's speed over plain |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for check, where in result["seconds"].items():
        if not (where["plain"] and where["mount"]):
            continue
        ratio = statistics.median(p / m for p, m in zip(where["plain"], where["mount"]))
        lines.append("| %s | %s | %s | %.2f |" % (check, spread(where["plain"]), spread(where["mount"]), ratio))
    lines += ["", "Every tensor was the same, bit for bit." if not result["failed"] else "**Failed:**", ""]
    lines += ["- " + text for text in result["failed"]]
    return "\n".join(lines) + "\n"


def spread(values):
    return "%.2f | %.2f–%.2f" % (statistics.median(values), min(values), max(values))


def write_doc(path, result):
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit("%s: no place between %r and %r" % (path, BEGIN, END))
    path.write_text(before + BEGIN + "\n" + table(result) + "\n" + END + after)
    return 0


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = run_all.HERE.parent.parent
    parser.add_argument("result", nargs="?", type=pathlib.Path, metavar="RESULT", help="what --json wrote, for --doc")
    parser.add_argument("--scapefs", type=pathlib.Path, default=root / "bin" / "scapefs")
    parser.add_argument("--dir", type=pathlib.Path, default=root / ".cache" / "bench-loaders", help="keep models and mounts in DIR")
    parser.add_argument("--venv", type=run_all.absolute, default=os.environ.get("SCAPEFS_VENV") or run_all.DEFAULT_VENV)
    parser.add_argument("--kind", choices=["big", "shards", "single"], default="big", help="the model, see make_model.py")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", metavar="CHECK", dest="checks", help="measure only CHECK; may be repeated")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the result to FILE")
    parser.add_argument("--doc", type=pathlib.Path, metavar="FILE", help="put RESULT into FILE, between its markers")
    args = parser.parse_args()
    if bool(args.doc) != bool(args.result):
        parser.error("--doc FILE and RESULT go together")
    args.checks = args.checks or CHECKS
    return args


if __name__ == "__main__":
    sys.exit(main())
