"""Run:ai's model streamer: io_uring or libaio with O_DIRECT, or plain reads from many threads."""
import common

args = common.parse_args(__doc__, ["io_uring_direct", "libaio_direct", "sync_buffered"])

import importlib.metadata
import os

os.environ["RUNAI_STREAMER_FS_STRATEGY"] = args.mode

from runai_model_streamer import SafetensorsStreamer

with common.Timer() as timer, SafetensorsStreamer() as streamer:
    streamer.stream_files(common.weight_files(args.dir), device="cpu")
    tensors = {name: tensor.clone() for name, tensor in streamer.get_tensors()}
version = importlib.metadata.version("runai-model-streamer")
common.report_tensors("runai-model-streamer " + version, args, tensors, timer.seconds)
