"""transformers: from_pretrained, with its defaults and with whole-file reads, then a few generated tokens."""
import common

args = common.parse_args(__doc__, ["default", "disable-mmap"])

import torch
import transformers

options = {"disable_mmap": True} if args.mode == "disable-mmap" else {}
with common.Timer() as timer:
    model = transformers.AutoModelForCausalLM.from_pretrained(args.dir, **options)
output = model.generate(torch.tensor([[1, 2, 3, 4]]), max_new_tokens=5, min_new_tokens=5, do_sample=False, pad_token_id=0)
common.report_tensors("transformers " + transformers.__version__, args, dict(model.state_dict()), timer.seconds,
                      tokens=output[0, 4:].tolist())
