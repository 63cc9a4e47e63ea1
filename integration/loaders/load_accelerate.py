"""accelerate: load_checkpoint_in_model, load_checkpoint_and_dispatch, and dispatch with half the layers left on disk,
which are then read from the files at each forward pass."""
import common

args = common.parse_args(__doc__, ["load", "dispatch", "disk"])

import tempfile

import accelerate
import torch
from accelerate.utils.modeling import get_state_dict_offloaded_model
from transformers import AutoConfig, AutoModelForCausalLM

PROMPT = torch.tensor([[1, 2, 3, 4]])


def half_on_disk(layers):
    devices = {"model.layers.%d" % i: "cpu" if i < layers // 2 else "disk" for i in range(layers)}
    return {"model.embed_tokens": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu", **devices}


config = AutoConfig.from_pretrained(args.dir)
with accelerate.init_empty_weights():
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)

with tempfile.TemporaryDirectory() as offload, torch.no_grad():
    with common.Timer() as timer:
        if args.mode == "load":
            accelerate.load_checkpoint_in_model(model, args.dir, device_map={"": "cpu"}, dtype=torch.bfloat16)
        elif args.mode == "dispatch":
            accelerate.load_checkpoint_and_dispatch(model, args.dir, device_map={"": "cpu"}, dtype=torch.bfloat16)
        else:
            accelerate.load_checkpoint_and_dispatch(model, args.dir, device_map=half_on_disk(config.num_hidden_layers),
                                                    dtype=torch.bfloat16, offload_folder=offload)
        token = int(model(PROMPT).logits[0, -1].argmax())
    tensors = get_state_dict_offloaded_model(model) if args.mode == "disk" else dict(model.state_dict())
    common.report_tensors("accelerate " + accelerate.__version__, args, tensors, timer.seconds, tokens=[token])
