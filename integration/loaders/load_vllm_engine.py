"""The whole vLLM engine on CPU: LLM(DIR), the parameters of the running model compared with the files, and a few
generated tokens."""
import common

# What each mode gives to LLM().
OPTIONS = {
    "default": {},
    "eager": {"safetensors_load_strategy": "eager"},
    "prefetch": {"safetensors_load_strategy": "prefetch"},
    "threads": {"model_loader_extra_config": {"enable_multithread_load": True, "num_threads": 4}},
    "runai": {"load_format": "runai_streamer"},
}

# vLLM fuses some projections into one parameter, stacked by rows.
FUSED = {
    ".qkv_proj.": (".q_proj.", ".k_proj.", ".v_proj."),
    ".gate_up_proj.": (".gate_proj.", ".up_proj."),
}


def unfuse(params, shapes):
    """The parameters under the names they have in the files."""
    tensors = {}
    for name, param in params.items():
        fused, parts = next(((f, p) for f, p in FUSED.items() if f in name), ("", ("",)))
        row = 0
        for part in parts:
            original = name.replace(fused, part) if fused else name
            rows = shapes[original][0]
            tensors[original] = param[row:row + rows]
            row += rows
    return tensors


def main():
    args = common.parse_args(__doc__, list(OPTIONS))

    import os
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # the engine in this process, where we can see it
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

    import vllm
    from vllm.model_executor.model_loader import base_loader

    # The CPU backend repacks the weights once they are loaded: copy them just before.
    params = {}
    process = base_loader.process_weights_after_loading

    def copy_then_process(model, *rest, **options):
        params.update((name, param.data.clone()) for name, param in model.named_parameters())
        return process(model, *rest, **options)

    base_loader.process_weights_after_loading = copy_then_process

    with common.Timer() as timer:
        llm = vllm.LLM(model=args.dir, skip_tokenizer_init=True, enforce_eager=True, max_model_len=64, max_num_seqs=1,
                       dtype="bfloat16", **OPTIONS[args.mode])
    sampling = vllm.SamplingParams(max_tokens=5, temperature=0, detokenize=False, ignore_eos=True)
    output = llm.generate([{"prompt_token_ids": [1, 2, 3, 4]}], sampling)
    shapes = {name: shape for name, (shape, _) in common.reference(args.ref).items()}
    common.report_tensors("vllm engine " + vllm.__version__, args, unfuse(params, shapes), timer.seconds,
                          tokens=list(output[0].outputs[0].token_ids))


if __name__ == "__main__":
    main()
