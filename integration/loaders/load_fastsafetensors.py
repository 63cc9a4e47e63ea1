"""fastsafetensors without GPU direct storage: parallel O_DIRECT reads of large pieces into one buffer.
Mode "files-buffered" does the same through the page cache."""
import common

args = common.parse_args(__doc__, ["files", "files-buffered", "open", "parallel"])

import os

if args.mode == "files-buffered":
    os.environ["FASTSAFETENSORS_ODIRECT"] = "0"

import fastsafetensors
import torch
from fastsafetensors import ParallelLoader, SafeTensorsFileLoader, SingleGroup, fastsafe_open

THREADS = 16
DEVICE = "cpu"


def load_files(paths):
    loader = SafeTensorsFileLoader(SingleGroup(), DEVICE, nogds=True, max_threads=THREADS)
    try:
        loader.add_filenames({0: paths})
        buffers = loader.copy_files_to_device()
        try:
            return {name: buffers.get_tensor(name).clone() for name in loader.get_keys()}
        finally:
            buffers.close()
    finally:
        loader.close()


def load_open(paths):
    with fastsafe_open(paths, framework="pt", device=DEVICE, nogds=True) as f:
        return {name: f.get_tensor(name).clone() for name in f.keys()}


def load_parallel(paths):
    loader = ParallelLoader(pg=SingleGroup(), hf_weights_files=paths, device=DEVICE, nogds=True, use_tqdm_on_load=False)
    try:
        return {name: tensor.clone() for name, tensor in loader.iterate_weights()}
    finally:
        loader.close()


load = {"open": load_open, "parallel": load_parallel}.get(args.mode, load_files)
with common.Timer() as timer:
    tensors = load(common.weight_files(args.dir))
common.report_tensors("fastsafetensors " + fastsafetensors.__version__, args, tensors, timer.seconds)
