"""Tiny random checkpoints of vision-language models, less than 1 MB each, for the real `from_pretrained` to load.

Two vision and two text layers, a byte-level tokenizer without merges (a letter is a token), a chat template of our own,
and the preprocessor files that the published repositories hold.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

QWEN2_5_VL_PREPROCESSOR = {
    "min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor",
}  # fmt: skip
QWEN3_VL_PREPROCESSOR = {
    "size": {"longest_edge": 16777216, "shortest_edge": 1024}, "patch_size": 16, "temporal_patch_size": 2,
    "merge_size": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor",
}  # fmt: skip
QWEN3_VL_VIDEO_PREPROCESSOR = {
    **QWEN3_VL_PREPROCESSOR, "size": {"longest_edge": 25165824, "shortest_edge": 4096},
    "video_processor_type": "Qwen3VLVideoProcessor",
}  # fmt: skip
del QWEN3_VL_VIDEO_PREPROCESSOR["image_processor_type"]

_KEPT: list[Any] = []


def prepare_torchvision() -> bool:
    """Whether torchvision can be imported, once its operators are declared where a CPU build of torch lacks them.

    A declaration ends with the object that made it, so that one is kept.
    """
    import torch

    if importlib.util.find_spec("torchvision") is None:
        return False
    if torch.version.cuda is None and not _KEPT:
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
    return True


def make_tokenizer(chat_template: str | None = CHAT_TEMPLATE, names: dict[str, str] | None = None) -> Any:
    """A byte-level tokenizer without merges: every byte is a token, and every special token, `names` too, one more."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: at for at, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*SPECIAL, *(names or {}).values())])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=dict(names or {}),
    )
    fast.chat_template = chat_template
    return fast


def make_qwen(
    folder: Path, family: str = "qwen2_5_vl", chat_template: str | None = CHAT_TEMPLATE, seed: int = 0
) -> Path:
    """A checkpoint in that folder, as its publisher would have saved it."""
    import torch
    import transformers

    torch.manual_seed(seed)
    tokenizer = make_tokenizer(chat_template)
    id_of = tokenizer.convert_tokens_to_ids
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32768, "head_dim": 8,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
        "initializer_range": 0.3, "bos_token_id": None, "eos_token_id": id_of("<|im_end|>"),
    }  # fmt: skip
    vision: dict[str, Any] = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 32,
    }
    shared = {
        "image_token_id": id_of("<|image_pad|>"), "video_token_id": id_of("<|video_pad|>"),
        "vision_start_token_id": id_of("<|vision_start|>"), "vision_end_token_id": id_of("<|vision_end|>"),
        "tie_word_embeddings": False,
    }  # fmt: skip
    if family == "qwen2_5_vl":
        vision |= {"patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1], "tokens_per_second": 2}
        config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **shared)
        model = transformers.Qwen2_5_VLForConditionalGeneration(config)
        files = {"preprocessor_config.json": QWEN2_5_VL_PREPROCESSOR}
    else:
        vision |= {"patch_size": 16, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
        text["rope_parameters"]["mrope_interleaved"] = True
        config = transformers.Qwen3VLConfig(text_config=text, vision_config=vision, **shared)
        model = transformers.Qwen3VLForConditionalGeneration(config)
        files = {
            "preprocessor_config.json": QWEN3_VL_PREPROCESSOR,
            "video_preprocessor_config.json": QWEN3_VL_VIDEO_PREPROCESSOR,
        }
    # random weights say random bytes; so the likeliest are made to be letters and the end, which a parser can read
    spoken = [*id_of(list("ABCDEFGHIJ")), id_of("<|im_end|>")]
    quiet = torch.ones(len(tokenizer), dtype=torch.bool)
    quiet[spoken] = False
    with torch.no_grad():
        model.lm_head.weight[quiet] *= 0.1
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=[id_of("<|im_end|>"), id_of("<|endoftext|>")], pad_token_id=id_of("<|endoftext|>")
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


INTERNVL_TEMPLATE = CHAT_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>\n").replace(
    "<|vision_start|><|video_pad|><|vision_end|>", "<video>\n"
)
LLAVA_TEMPLATE = INTERNVL_TEMPLATE.replace("<IMG_CONTEXT>", "<image>")


def make_internvl(folder: Path, seed: int = 0) -> Path:
    """An InternVL as transformers has it, with tiles of 28×28 pixels; saved with its processor (needs torchvision)."""
    import torch
    import transformers

    torch.manual_seed(seed)
    names = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = make_tokenizer(INTERNVL_TEMPLATE, names)
    side = {"height": 28, "width": 28}
    processor = transformers.InternVLProcessor(
        image_processor=transformers.GotOcr2ImageProcessor(size=side, max_patches=4),
        tokenizer=tokenizer,
        video_processor=transformers.InternVLVideoProcessor(size=side),
        image_seq_length=1,
        chat_template=INTERNVL_TEMPLATE,
    )
    config = transformers.InternVLConfig(
        vision_config={**_SMALL_VISION, "image_size": [28, 28], "patch_size": [14, 14]},
        text_config={**_SMALL_QWEN2, "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=1,
        tie_word_embeddings=False,
    )
    return _save(transformers.InternVLForConditionalGeneration(config), tokenizer, processor, folder)


def make_llava_onevision(folder: Path, seed: int = 0) -> Path:
    """A LLaVA-OneVision with tiles of 28×28 pixels; saved with its processor (needs torchvision)."""
    import torch
    import transformers

    torch.manual_seed(seed)
    tokenizer = make_tokenizer(LLAVA_TEMPLATE, {"image_token": "<image>", "video_token": "<video>"})
    side, points = {"height": 28, "width": 28}, [[28, 28], [28, 56], [56, 28]]
    processor = transformers.LlavaOnevisionProcessor(
        image_processor=transformers.LlavaOnevisionImageProcessor(size=side, image_grid_pinpoints=points),
        tokenizer=tokenizer,
        video_processor=transformers.LlavaOnevisionVideoProcessor(size=side),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=LLAVA_TEMPLATE,
    )
    config = transformers.LlavaOnevisionConfig(
        vision_config={**_SMALL_VISION, "model_type": "siglip_vision_model", "image_size": 28, "patch_size": 14},
        text_config={**_SMALL_QWEN2, "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=points,
        vision_feature_select_strategy="full",
        tie_word_embeddings=False,
    )
    return _save(transformers.LlavaOnevisionForConditionalGeneration(config), tokenizer, processor, folder)


_SMALL_VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip
_SMALL_QWEN2: dict[str, Any] = {
    "model_type": "qwen2", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096, "initializer_range": 0.3,
}  # fmt: skip


def _save(model: Any, tokenizer: Any, processor: Any, folder: Path) -> Path:
    import transformers

    id_of = tokenizer.convert_tokens_to_ids
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=id_of("<|im_end|>"), pad_token_id=id_of("<|endoftext|>")
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
