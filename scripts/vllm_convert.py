"""Take a model out of a GGUF file into a folder of safetensors. Run by `vllm_server` in vLLM's own environment."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import sys
from pathlib import Path

END_TOKENS = ("<|im_end|>", "<|endoftext|>")


def main(gguf: Path, folder: Path) -> None:
    """Write weights, configuration and tokenizer.

    transformers reads the file; its own `save_pretrained` refuses such a model, so the tensors are written here.
    """
    import torch  # noqa: PLC0415  # only in that environment
    from safetensors.torch import save_file  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        tensors.pop("lm_head.weight", None)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    # The file's own quantisation is undone; vLLM would look for it.
    config = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    config["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(config, indent=2, default=str))
    tokenizer.save_pretrained(folder)
    ends = [tokenizer.convert_tokens_to_ids(token) for token in END_TOKENS]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
