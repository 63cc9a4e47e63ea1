"""The safetensors package: its numpy and torch loaders, safe_open, slices, and the pread backend."""
import common

FUNCTIONS = ["np", "pt", "open-np", "open-pt", "slice", "tensors"]
PREAD = "-pread"
MODES = FUNCTIONS + ["bytes"] + [name + PREAD for name in FUNCTIONS if name != "open-np"]

args = common.parse_args(__doc__, MODES)

import safetensors
from safetensors import safe_open

mode = args.mode.removesuffix(PREAD)
options = {"backend": "pread"} if args.mode.endswith(PREAD) else {}
if mode.endswith("np"):
    import ml_dtypes  # gives numpy its bfloat16
    import safetensors.numpy
else:
    import torch
    import safetensors.torch


def halves(view):
    """A tensor by two slices along its first axis."""
    rows = view.get_shape()[0]
    if rows < 2:
        return view[:]
    middle = (rows + 1) // 2
    return torch.cat([view[:middle], view[middle:]])


def load(path):
    if mode == "np":
        return safetensors.numpy.load_file(path, **options)
    if mode == "pt":
        return safetensors.torch.load_file(path, **options)
    if mode == "bytes":
        with open(path, "rb") as f:
            return safetensors.torch.load(f.read())
    with safe_open(path, framework="np" if mode == "open-np" else "pt", **options) as f:
        if mode == "tensors":
            return f.get_tensors()
        if mode == "slice":
            return {name: halves(f.get_slice(name)) for name in f.keys()}
        return {name: f.get_tensor(name) for name in f.keys()}


tensors = {}
with common.Timer() as timer:
    for path in common.weight_files(args.dir):
        tensors.update(load(path))
    common.touch(tensors)
common.report_tensors("safetensors " + safetensors.__version__, args, tensors, timer.seconds)
