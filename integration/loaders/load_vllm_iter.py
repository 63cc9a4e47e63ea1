"""vLLM's weight iterators, without the engine: what its model loader reads the files with."""
import common

args = common.parse_args(__doc__, ["default", "eager", "prefetch", "threads", "runai"])

import os

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

import vllm
from vllm.model_executor.model_loader import weight_utils


def iterator(paths):
    if args.mode == "threads":
        return weight_utils.multi_thread_safetensors_weights_iterator(paths, False, max_workers=4)
    if args.mode == "runai":
        return weight_utils.runai_safetensors_weights_iterator(paths, False)
    strategy = None if args.mode == "default" else args.mode
    return weight_utils.safetensors_weights_iterator(paths, False, strategy)


with common.Timer() as timer:
    # The engine copies each tensor into its parameter before it asks for the next; so does clone.
    tensors = {name: tensor.clone() for name, tensor in iterator(common.weight_files(args.dir))}
common.report_tensors("vllm iterator " + vllm.__version__, args, tensors, timer.seconds)
