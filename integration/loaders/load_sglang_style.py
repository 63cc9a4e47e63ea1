"""Tensors taken off one queue by 32 threads at once, each a lazy mapping that is copied: how SGLang loads, and the most
that page faults come in parallel."""
import common

args = common.parse_args(__doc__, ["threads32"])

from concurrent.futures import ThreadPoolExecutor

import safetensors
import torch
from safetensors import safe_open

THREADS = 32


def copied(file, name):
    return name, file.get_tensor(name).clone()


torch.set_num_threads(1)  # a copy is made by the thread that asks for it
with common.Timer() as timer, ThreadPoolExecutor(THREADS) as pool:
    files = [safe_open(path, framework="pt") for path in common.weight_files(args.dir)]
    jobs = [pool.submit(copied, file, name) for file in files for name in file.keys()]
    tensors = dict(job.result() for job in jobs)
common.report_tensors("safetensors " + safetensors.__version__, args, tensors, timer.seconds)
