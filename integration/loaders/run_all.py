#!/usr/bin/env python3
"""Runs every real loader against the model in DIR and compares each tensor with a plain copy of the model.

Prints a line for each check and exits 0 if all passed, 1 if one did not, 2 if it could not start.
"""
import argparse
import dataclasses
import fnmatch
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_VENV = HERE.parent.parent / ".cache" / "loaders-venv"
TAIL_LINES = 15  # of a failed loader's output
KILL_WAIT = 10  # seconds for a killed loader to go away

# loader -> its modes; the script is load_LOADER.py. The first mode is what the loader does unless told otherwise.
LOADERS = {
    "safetensors": ["pt", "np", "open-np", "open-pt", "slice", "tensors", "bytes",
                    "np-pread", "pt-pread", "open-pt-pread", "slice-pread", "tensors-pread"],
    "transformers": ["default", "disable-mmap"],
    "accelerate": ["load", "dispatch", "disk"],
    "fastsafetensors": ["files", "files-buffered", "open", "parallel"],
    "runai": ["io_uring_direct", "libaio_direct", "sync_buffered"],
    "vllm_iter": ["default", "eager", "prefetch", "threads", "runai"],
    "vllm_engine": ["default", "eager", "prefetch", "threads", "runai"],
    "sglang_style": ["threads32"],
    "rust": ["mmap", "read", "copy", "populate", "willneed", "seq", "random", "mt"],
}

# One check for each way in which the loaders touch a file.
QUICK = {"safetensors/pt", "safetensors/np", "safetensors/slice", "safetensors/open-pt-pread", "transformers/default",
         "fastsafetensors/files", "runai/io_uring_direct", "vllm_iter/default", "rust/mmap", "rust/random"}

# One check for each loader: enough to see that a wrong bit is noticed.
FIRST_OF_EACH = {"%s/%s" % (loader, modes[0]) for loader, modes in LOADERS.items()}


@dataclasses.dataclass
class Outcome:
    check: str
    state: str  # "pass", "fail" or "skip"
    seconds: float  # the whole run, imports included
    detail: str = ""
    result: dict = dataclasses.field(default_factory=dict)  # the loader's own report


def run(check, args, directory):
    """Runs one check against directory."""
    loader, mode = check.split("/")
    if loader == "rust" and not (args.venv / "bin" / "rust-loader").exists():
        required = os.environ.get("SCAPEFS_REQUIRE") == "1"
        return Outcome(check, "fail" if required else "skip", 0, "no rust-loader: install Rust, then run setup.sh")
    command = [args.venv / "bin" / "python", HERE / ("load_%s.py" % loader), directory, "--ref", args.ref, "--mode", mode]
    start = time.monotonic()
    code, output = run_bounded(command, args.timeout)
    seconds = time.monotonic() - start
    result = parse_result(output)
    if code == 0 and result.get("ok"):
        return Outcome(check, "pass", seconds, result=result)
    return Outcome(check, "fail", seconds, explain(code, output, result, args.timeout), result)


def run_bounded(command, timeout):
    """Exit code (None after a time-out) and output of a command, which is killed with all its children in time."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
            os.killpg(process.pid, signal.SIGKILL)
            try:
                process.wait(KILL_WAIT)
            except subprocess.TimeoutExpired:
                print("process %d does not die: it hangs in the kernel" % process.pid, file=sys.stderr)
        log.seek(0)
        return code, log.read().decode(errors="replace")


def parse_result(output):
    for line in reversed(output.splitlines()):
        if line.startswith("RESULT "):
            return json.loads(line[len("RESULT "):])
    return {}


def explain(code, output, result, timeout):
    if result.get("bad"):
        return "%d tensors differ: %s" % (result["bad_count"], ", ".join(result["bad"]))
    what = "no answer within %g s" % timeout if code is None else "exit code %d" % code
    return "\n    ".join([what] + output.splitlines()[-TAIL_LINES:])


def flip_one_bit(directory):
    """Flips a bit in the middle of the largest tensor in directory and returns the tensor's name."""
    best = (0, None, None, 0)  # length, file, tensor, offset in the file
    for path in sorted(directory.glob("*.safetensors")):
        with open(path, "rb") as f:
            header_len = int.from_bytes(f.read(8), "little")
            header = json.loads(f.read(header_len))
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                here = (end - begin, path, name, 8 + header_len + (begin + end) // 2)
                best = max(best, here, key=lambda x: x[0])
    length, path, name, offset = best
    if length == 0:
        sys.exit("no tensors in %s" % directory)
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1]))
    return name


def expect_noticed(outcome, name):
    """What a check of the damaged copy says about the loader: it passes by reporting that tensor and no other."""
    if outcome.state == "pass":
        return dataclasses.replace(outcome, state="fail", detail="the flipped bit in %s went unnoticed" % name)
    if outcome.state == "fail" and outcome.result.get("bad") == [name]:
        return dataclasses.replace(outcome, state="pass", detail="")
    return outcome


def checks_to_run(args):
    checks = ["%s/%s" % (loader, mode) for loader, modes in LOADERS.items() for mode in modes]
    if args.negative_control:
        checks = [c for c in checks if c in FIRST_OF_EACH]
    elif args.quick:
        checks = [c for c in checks if c in QUICK]
    if args.only:
        checks = [c for c in checks if any(fnmatch.fnmatch(c, pattern) for pattern in args.only)]
    if not checks:
        print("no check is named like that; see --list", file=sys.stderr)
        sys.exit(2)
    return checks


def run_checks(checks, args):
    """Runs the checks one after the other and prints a line for each."""
    with tempfile.TemporaryDirectory() as scratch:
        directory, damaged = args.dir, None
        if args.negative_control:
            directory = pathlib.Path(scratch) / "model"
            shutil.copytree(args.ref, directory)
            damaged = flip_one_bit(directory)
            print("one bit of %s is flipped: each loader must report that tensor and no other" % damaged, flush=True)
        outcomes = []
        for check in checks:
            outcome = run(check, args, directory)
            if damaged:
                outcome = expect_noticed(outcome, damaged)
            outcomes.append(outcome)
            show(outcome)
        return outcomes


def show(outcome):
    line = "%s  %-28s %6.1f s" % (outcome.state.upper(), outcome.check, outcome.seconds)
    if outcome.result.get("ok"):
        line += "  (%d tensors in %.2f s, %s)" % (
            outcome.result["tensors"], outcome.result["seconds"], outcome.result["loader"])
    if outcome.detail:
        line += "  " + outcome.detail
    print(line, flush=True)


def summarise(outcomes, args):
    """Prints the closing line, writes the JSON summary, and returns the exit code."""
    count = {state: sum(o.state == state for o in outcomes) for state in ("pass", "fail", "skip")}
    print("%d passed, %d failed, %d skipped" % (count["pass"], count["fail"], count["skip"]))
    if args.json:
        summary = {"dir": str(args.dir), "ref": str(args.ref), "negative_control": args.negative_control, **count,
                   "checks": [dataclasses.asdict(o) for o in outcomes]}
        args.json.write_text(json.dumps(summary, indent=2) + "\n")
    return 1 if count["fail"] else 0


def absolute(path):
    return pathlib.Path(os.path.abspath(path))


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", nargs="?", type=absolute, metavar="DIR", help="the model to load, on the mount under test")
    parser.add_argument("--ref", type=absolute, metavar="DIR", help="a plain copy of the model (default: DIR)")
    parser.add_argument("--venv", type=absolute, default=os.environ.get("SCAPEFS_VENV") or DEFAULT_VENV,
                        help="made by setup.sh (default: $SCAPEFS_VENV, or .cache/loaders-venv in the repository)")
    parser.add_argument("--quick", action="store_true", help="one check for each way of reading a file")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="only checks named like this: 'vllm_*/eager'")
    parser.add_argument("--negative-control", action="store_true",
                        help="flip one bit in a copy of the model; every loader must report that tensor")
    parser.add_argument("--timeout", type=float, default=180, metavar="SECONDS", help="for each check (default: 180)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write a summary to FILE")
    parser.add_argument("--list", action="store_true", help="print the names of the checks and exit")
    args = parser.parse_args()
    if not args.dir and not args.list:
        parser.error("DIR is missing")
    args.ref = args.ref or args.dir
    return args


def main():
    args = parse_args()
    checks = checks_to_run(args)
    if args.list:
        print("\n".join(checks))
        return 0
    if not (args.venv / "bin" / "python").exists():
        print("no loaders in %s: run %s" % (args.venv, HERE / "setup.sh"), file=sys.stderr)
        return 2
    return summarise(run_checks(checks, args), args)


if __name__ == "__main__":
    sys.exit(main())
