#!/usr/bin/env python3
"""Makes a small random Llama in bf16 and saves it as safetensors, the same one every time.

usage: VENV/bin/python make_model.py DIR [shards|single|big]

shards (default): 17 MB in five files; single: the same in one; big: 801 MB in five files.
"""
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

SMALL = dict(hidden_size=256, intermediate_size=688, num_hidden_layers=6, num_attention_heads=8, num_key_value_heads=4,
             vocab_size=8192, max_position_embeddings=256)
BIG = dict(hidden_size=1536, intermediate_size=4096, num_hidden_layers=12, num_attention_heads=12,
           num_key_value_heads=4, vocab_size=32000, max_position_embeddings=512)

# kind -> (configuration, largest file)
KINDS = {"shards": (SMALL, "4MB"), "single": (SMALL, "1GB"), "big": (BIG, "200MB")}


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[-1].startswith("-"):
        sys.exit(__doc__)
    directory, kind = sys.argv[1], (sys.argv[2:] or ["shards"])[0]
    if kind not in KINDS:
        sys.exit("unknown kind %s: one of %s" % (kind, ", ".join(KINDS)))
    shape, shard_size = KINDS[kind]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(LlamaConfig(tie_word_embeddings=False, **shape), dtype=torch.bfloat16)
    model.save_pretrained(directory, max_shard_size=shard_size)
    for name in sorted(os.listdir(directory)):
        print("%12d %s" % (os.path.getsize(os.path.join(directory, name)), name))


if __name__ == "__main__":
    main()
