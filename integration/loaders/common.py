"""What the load_*.py scripts share: arguments, an independent reader to compare with, and the report.

Every script is run as `load_X.py DIR --mode MODE [--ref REFDIR]`: it loads the model in DIR as MODE says, compares
every tensor bit for bit with the files in REFDIR, prints one line starting with "RESULT ", and exits 1 on a difference.
"""
import argparse
import glob
import hashlib
import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

MAX_NAMES_SHOWN = 10


def parse_args(doc, modes):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("dir", help="the model to load")
    parser.add_argument("--ref", help="a plain copy of the model to compare with (default: DIR itself)")
    parser.add_argument("--mode", choices=modes, default=modes[0])
    args = parser.parse_args()
    args.ref = args.ref or args.dir
    return args


def weight_files(directory):
    return sorted(glob.glob(os.path.join(directory, "*.safetensors")))


class Timer:
    """Measures the time inside a with statement, in seconds."""

    def __enter__(self):
        self.start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.start


def reference(directory):
    """name -> (shape, SHA-256 of the bytes) of every tensor, by open(), read() and json alone."""
    tensors = {}
    for path in weight_files(directory):
        with open(path, "rb", buffering=0) as f:
            data = memoryview(f.readall())
        start = 8 + int.from_bytes(data[:8], "little")
        for name, entry in json.loads(bytes(data[8:start])).items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                tensors[name] = tuple(entry["shape"]), sha256(data[start + begin:start + end])
    return tensors


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def raw_bytes(tensor):
    """The bytes of a numpy array or a torch tensor."""
    if hasattr(tensor, "detach"):
        import torch
        array = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    else:
        import numpy
        array = numpy.ascontiguousarray(tensor).reshape(-1).view(numpy.uint8)
    return memoryview(array).cast("B")


def touch(tensors):
    """Reads a byte of every page: a mapped tensor has not been read until then."""
    for tensor in tensors.values():
        bytes(raw_bytes(tensor)[::4096])


def report_tensors(loader, args, tensors, seconds, **extra):
    """Reports tensors that are in memory; see report."""
    found = {name: (tuple(t.shape), sha256(raw_bytes(t))) for name, t in tensors.items()}
    report(loader, args, found, seconds, **extra)


def report(loader, args, found, seconds, **extra):
    """Compares found, name -> (shape, SHA-256), with the files in args.ref, prints the RESULT line and exits."""
    expected = reference(args.ref)
    bad = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if not expected:
        sys.exit("no tensors in %s: nothing was compared" % args.ref)
    result = {
        "loader": loader,
        "mode": args.mode,
        "ok": not bad,
        "tensors": len(found),
        "bytes": sum(os.path.getsize(path) for path in weight_files(args.ref)),
        "seconds": round(seconds, 3),
        "bad": bad[:MAX_NAMES_SHOWN],
        "bad_count": len(bad),
        **extra,
    }
    print("RESULT " + json.dumps(result), flush=True)
    sys.exit(1 if bad else 0)
