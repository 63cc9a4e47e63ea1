"""The safetensors crate over memmap2, as Rust programs load weights (see rust-loader/src/main.rs for the modes)."""
import common

args = common.parse_args(__doc__, ["mmap", "read", "copy", "populate", "willneed", "seq", "random", "mt"])

import json
import os
import subprocess
import sys

LOADER = os.path.join(os.path.dirname(sys.executable), "rust-loader")  # put there by setup.sh

with common.Timer() as timer:
    out = subprocess.run([LOADER, args.mode, args.dir], stdout=subprocess.PIPE, text=True, check=True).stdout
found = {}
for line in out.splitlines():
    name, _, shape, digest = line.split("\t")
    found[name] = tuple(json.loads(shape)), digest
common.report("rust safetensors + memmap2", args, found, timer.seconds)
