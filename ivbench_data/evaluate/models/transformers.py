"""Models of transformers, from the Hub or a folder; torch is imported only when one is opened.

Qwen2.5-VL and Qwen3-VL take the fast path (`qwen_vl`); all others go through their own processor (`processor_vl`).
Code from a model repository is never run: every loader gets `trust_remote_code=False`, since without it transformers
asks on the terminal.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from ivbench_data.errors import EnvironmentProblemError, MissingDependencyError, UsageError
from ivbench_data.frames.reader import import_torch
from ivbench_data.strict_json import parse_json

if TYPE_CHECKING:
    from ivbench_data.evaluate.models import ModelOptions
    from ivbench_data.evaluate.prompts.requests import Model

FAST = ("qwen2_5_vl", "qwen3_vl")
"""Model types that take the fast path."""

DTYPES = ("auto", "bfloat16", "float16", "float32")

_SAMPLE_BYTES = 1 << 16


def open_model(name: str, options: ModelOptions) -> Model:
    """The model of that repository or folder, loaded, ready to answer.

    Raises:
        UsageError: there is no such model, it has no chat template, or an option is invalid.
        EnvironmentProblemError: torch, transformers or another library that the model needs is not installed.
    """
    transformers = import_transformers()
    with _explain(name):
        config = transformers.AutoConfig.from_pretrained(name, revision=options.revision, trust_remote_code=False)
    if config.model_type in FAST:
        return open_qwen(name, options)
    from ivbench_data.evaluate.models.processor_vl import ProcessorVL
    from ivbench_data.evaluate.models.token_sampling import choose_sampling

    with _explain(name):
        try:
            processor = transformers.AutoProcessor.from_pretrained(
                name, revision=options.revision, trust_remote_code=False
            )
        except ImportError as error:
            raise EnvironmentProblemError(
                f"the processor of {name} needs a library that is not installed: {error}"
            ) from error
    if not getattr(processor, "chat_template", None):
        raise UsageError(_explain_missing_template(name))
    _check_template_variables(name, str(processor.chat_template), options)
    model = load_weights(name, options)
    return ProcessorVL(
        model,
        processor,
        likelihood=options.mode == "likelihood",
        max_new_tokens=options.max_new_tokens,
        sampling=choose_sampling(options),
        template_variables=options.chat_template_kwargs,
        identity=describe_checkpoint(name, model, processor),
    )


def open_qwen(name: str, options: ModelOptions, *, share_prefix: bool = True) -> Model:
    """A Qwen2.5-VL or Qwen3-VL on the fast path.

    Raises:
        UsageError: as `open_model`.
        EnvironmentProblemError: as `open_model`.
    """
    transformers = import_transformers()
    from ivbench_data.evaluate.models.qwen_prompts import PromptEncoder
    from ivbench_data.evaluate.models.qwen_vl import QwenVL
    from ivbench_data.evaluate.models.token_sampling import choose_sampling
    from ivbench_data.evaluate.models.vision_patches import VideoPreprocessing

    revision = options.revision
    with _explain(name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
        image_processor = _load_image_processor(name, revision)
    template = find_chat_template(name, revision, tokenizer)
    if template is None:
        raise UsageError(_explain_missing_template(name))
    _check_template_variables(name, template, options)
    model = load_weights(name, options)
    preprocessing = VideoPreprocessing.from_config(_read_video_config(name, revision), model.config.model_type)
    return QwenVL(
        model,
        PromptEncoder(model, tokenizer, image_processor, template, preprocessing, options.chat_template_kwargs),
        likelihood=options.mode == "likelihood",
        max_new_tokens=options.max_new_tokens,
        sampling=choose_sampling(options),
        batch_size=options.batch_size,
        share_prefix=share_prefix,
        identity=describe_checkpoint(name, model, image_processor),
    )


def load_weights(name: str, options: ModelOptions) -> Any:
    """The model in evaluation mode, on the device or devices that the options name.

    Raises:
        UsageError: there is no such model, data type or device.
        MissingDependencyError: several devices are named, and accelerate is not installed.
    """
    torch, transformers = import_torch(), import_transformers()
    if options.dtype not in DTYPES:
        raise UsageError(f"dtype is {options.dtype!r}; it can be {', '.join(DTYPES)}")
    devices = find_devices(options.device)
    placed: dict[str, Any] = {}
    if len(devices) > 1:
        if importlib.util.find_spec("accelerate") is None:
            raise MissingDependencyError("accelerate", "eval")
        # a device that is not named gets nothing; one that is, as much as it has free
        memory = dict.fromkeys(range(torch.cuda.device_count()), 0)
        memory |= {torch.device(device).index: torch.cuda.mem_get_info(device)[0] for device in devices}
        placed = {"device_map": "auto", "max_memory": memory}
    with _explain(name):
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            name,
            revision=options.revision,
            trust_remote_code=False,
            dtype=options.dtype,
            attn_implementation=options.attn,
            **placed,
        )
    model.eval()
    return model if placed else model.to(devices[0])


def find_devices(device: str) -> list[str]:
    """The devices that `--device` names: `auto` is the first CUDA device, or the CPU where there is none.

    Raises:
        UsageError: one of them does not exist, or several are not all CUDA devices.
    """
    torch = import_torch()
    if device == "auto":
        return ["cuda:0" if torch.cuda.is_available() else "cpu"]
    names = [name.strip() for name in device.split(",")]
    names = ["cuda:0" if name == "cuda" else name for name in names]
    for name in names:
        try:
            found = torch.device(name)
        except RuntimeError:
            raise UsageError(f"{name!r} is not a device; write auto, cpu, cuda:0 or cuda:0,cuda:1") from None
        if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
            raise UsageError(f"there is no device {name}: torch sees {torch.cuda.device_count()} CUDA devices")
        if len(names) > 1 and found.type != "cuda":
            raise UsageError(f"several devices must all be CUDA devices, and {name} is not")
    if len(set(names)) < len(names):
        raise UsageError(f"{device!r} names a device twice")
    return names


def import_transformers() -> Any:
    """The transformers module, once torch is known to be there.

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    import_torch()
    try:
        import transformers
    except ImportError:
        raise MissingDependencyError("transformers", "eval") from None
    return transformers


# --- checkpoint files -------------------------------------------------------------------------------------------


def find_chat_template(name: str, revision: str | None, tokenizer: Any) -> str | None:
    """The chat template of the checkpoint's processor, else of its tokenizer; None without one."""
    stored = _read_json(name, revision, "chat_template.json")
    template = stored.get("chat_template") or tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return str(template) if template else None


def describe_checkpoint(name: str, model: Any, processor: Any) -> dict[str, JsonValue]:
    """What determines the answers besides the name: revision or content, version, data type, attention, processor."""
    from transformers import __version__

    identity: dict[str, JsonValue] = {
        "transformers": __version__,
        "dtype": str(model.dtype).removeprefix("torch."),
        "attn": model.config._attn_implementation,
        "processor": type(processor).__name__,
    }
    if Path(name).is_dir():
        identity["content"] = digest_checkpoint(Path(name))
    else:
        identity["revision"] = getattr(model.config, "_commit_hash", None)
    return identity


def digest_checkpoint(folder: Path) -> str:
    """Digest of a checkpoint's files, 16 hexadecimal digits.

    Weights are too large to read in full at every start: of a large file, the size and the first and last 64 KiB count.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE_BYTES))
            if size > 2 * _SAMPLE_BYTES:
                file.seek(-_SAMPLE_BYTES, 2)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def _load_image_processor(name: str, revision: str | None) -> Any:
    """The checkpoint's image processor: the torchvision one if installed, else the PIL one."""
    transformers = import_transformers()
    try:
        return transformers.AutoImageProcessor.from_pretrained(name, revision=revision, trust_remote_code=False)
    except ImportError:
        # some releases fall back to PIL by themselves, 5.17 does not
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        processor: Any = Qwen2VLImageProcessorPil
        return processor.from_pretrained(name, revision=revision, trust_remote_code=False)


def _read_video_config(name: str, revision: str | None) -> dict[str, Any]:
    """The checkpoint's video processor settings, from the first file in the search order of transformers."""
    nested = _read_json(name, revision, "processor_config.json").get("video_processor")
    if isinstance(nested, dict):
        return nested
    return _read_json(name, revision, "video_preprocessor_config.json") or _read_json(
        name, revision, "preprocessor_config.json"
    )


def _read_json(name: str, revision: str | None, file_name: str) -> dict[str, Any]:
    """The file's content; empty if the checkpoint has no such file."""
    from transformers.utils.hub import cached_file

    path = cached_file(
        name,
        file_name,
        revision=revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    if path is None:
        return {}
    try:
        content = parse_json(Path(path).read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} is not a JSON object")
    return content


def _check_template_variables(name: str, template: str, options: ModelOptions) -> None:
    """Raise where the chat template does not know a variable that it is given: it would change nothing, unnoticed."""
    unknown = [key for key in options.chat_template_kwargs if not re.search(rf"\b{re.escape(key)}\b", template)]
    if unknown:
        raise UsageError(f"--chat-template-kwargs sets {unknown[0]!r}, which {name}'s chat template does not know")


def _explain_missing_template(name: str) -> str:
    return (
        f"{name} has no chat template: it is a base model, or chat_template.jinja is missing from it. Take the "
        "instruction-tuned model, or add its template to the folder"
    )


@contextmanager
def _explain(name: str) -> Iterator[None]:
    """Turn errors of transformers about a checkpoint into our errors, which name it."""
    try:
        yield
    except RuntimeError as error:
        if "torchvision" not in str(error):
            raise
        raise EnvironmentProblemError(
            f"torchvision does not fit the torch that is installed ({error}): install the build that belongs to it, or "
            "none where only Qwen2.5-VL and Qwen3-VL are evaluated"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        if "trust_remote_code" in str(error):
            raise UsageError(
                f"cannot load {name}: it needs Python code from its own repository, which ivbench-data never runs. To "
                "evaluate it all the same, run it yourself: behind an OpenAI-compatible server (--model openai:NAME "
                "--base-url URL), or in a function of your own (--model python:module:function)"
            ) from error
        reason = str(error).strip().splitlines()
        raise UsageError(f"cannot load {name}: {reason[0] if reason else type(error).__name__}") from error
