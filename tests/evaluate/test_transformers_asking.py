"""Tiny checkpoints asked with a system message, template variables and a temperature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="these models need torch: pip install 'ivbench-data[eval]'")
pytest.importorskip("transformers", reason="these models need transformers: pip install 'ivbench-data[eval]'")

import tiny_models
import torch  # noqa: TID253  (after importorskip)
from evaluation_dataset import GRID, make_dataset, make_media

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.models import ModelOptions, open_model
from ivbench_data.evaluate.models.token_sampling import TokenSampling
from ivbench_data.evaluate.models.transformers import load_weights, open_qwen
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.workspace import Workspace

HAS_TORCHVISION = tiny_models.prepare_torchvision()

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:transformers .* counts positions otherwise:UserWarning"),
]

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
CLOSE = 1e-5
SYSTEM = "You look closely. Ä"
THINKING = tiny_models.CHAT_TEMPLATE.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if thinking is defined and not thinking %}<think></think>{% endif %}{% endif %}",
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {family: str(tiny_models.make_qwen(folder / family, family, THINKING)) for family in FAMILIES}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    """A root with three videos and eight questions. To be read, never written to."""
    root, dataset = tmp_path_factory.mktemp("root"), make_dataset()
    make_media(root, dataset)
    return root, dataset


def ask(media: tuple[Path, Dataset], **options: Any) -> list[Request]:
    root, dataset = media
    asker = Asker(dataset, Workspace(root, dataset.name), AskOptions(grid=GRID, **options))
    return [request for _, request in asker.iterate() if isinstance(request, Request)]


def make_options(**values: Any) -> ModelOptions:
    return ModelOptions(**{"dtype": "float32", "device": "cpu", "max_new_tokens": 8, **values})


def open_plain(checkpoint: str, options: ModelOptions) -> Any:
    """The model through its own processor and `generate`."""
    if not HAS_TORCHVISION:
        pytest.skip("the models' video processors need torchvision")
    from transformers import AutoProcessor

    from ivbench_data.evaluate.models.processor_vl import ProcessorVL
    from ivbench_data.evaluate.models.token_sampling import choose_sampling

    return ProcessorVL(
        load_weights(checkpoint, options),
        AutoProcessor.from_pretrained(checkpoint),
        max_new_tokens=options.max_new_tokens,
        sampling=choose_sampling(options),
        template_variables=options.chat_template_kwargs,
    )


def read_texts(replies: Iterator[Reply]) -> dict[Any, str | None]:
    return {reply.key: reply.text for reply in replies}


def differ(one: dict[Any, torch.Tensor], other: dict[Any, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[key] - other[key]).abs().max()) for key in one)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_system_message_is_part_of_the_shared_prefix_and_changes_no_logits_against_whole_passes(
    family: str, checkpoints: dict[str, str], media: tuple[Path, Dataset]
) -> None:
    requests = ask(media, system=SYSTEM)
    shared: Any = open_qwen(checkpoints[family], make_options())
    alone: Any = open_qwen(checkpoints[family], make_options(batch_size=1), share_prefix=False)
    logits = shared.compute_logits(requests)
    assert differ(logits, alone.compute_logits(requests)) <= CLOSE
    assert differ(logits, shared.compute_logits(ask(media))) > 0.01
    assert read_texts(shared(requests)) == read_texts(alone(requests))


@pytest.mark.parametrize("family", FAMILIES)
def test_system_messages_and_template_variables_reach_the_fast_path_and_the_plain_one_alike(
    family: str, checkpoints: dict[str, str], media: tuple[Path, Dataset]
) -> None:
    requests = ask(media, system=SYSTEM)
    options = make_options(chat_template_kwargs={"thinking": False})
    fast: Any = open_qwen(checkpoints[family], options)
    plain = open_plain(checkpoints[family], options)
    logits = fast.compute_logits(requests)
    assert differ(logits, plain.compute_logits(requests)) <= CLOSE
    without: Any = open_qwen(checkpoints[family], make_options())
    assert differ(logits, without.compute_logits(requests)) > 0.01


def test_a_variable_that_the_template_does_not_know_is_refused_before_the_weights_are_read(
    checkpoints: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr("ivbench_data.evaluate.models.transformers.load_weights", fail)
    with pytest.raises(UsageError, match=r"sets 'enable_thinking', which .* chat template does not know"):
        open_model(checkpoints["qwen2_5_vl"], make_options(chat_template_kwargs={"enable_thinking": False}))


def test_a_template_without_a_place_for_a_system_message_ends_the_run(
    media: tuple[Path, Dataset], tmp_path: Path
) -> None:
    template = (
        "{% for message in messages if message['role'] != 'system' %}" + tiny_models.CHAT_TEMPLATE.split("%}", 1)[1]
    )
    model = open_model(str(tiny_models.make_qwen(tmp_path, chat_template=template)), make_options())
    assert len(list(model(ask(media)[:1]))) == 1
    with pytest.raises(UsageError, match="shows no system message"):
        list(model(ask(media, system=SYSTEM)[:1]))


@pytest.mark.parametrize("is_fast", [True, False])
def test_drawn_replies_are_the_same_whatever_else_is_asked(
    is_fast: bool, checkpoints: dict[str, str], media: tuple[Path, Dataset]
) -> None:
    requests = ask(media)

    def open_it(**values: Any) -> Any:
        options = make_options(temperature=1.0, **values)
        return (open_qwen if is_fast else open_plain)(checkpoints["qwen2_5_vl"], options)

    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    every = read_texts(open_it()(requests))
    assert torch.equal(torch.rand(4), expected), "the process' own random numbers were used"
    backwards = read_texts(open_it(batch_size=1)(requests[::-1]))
    assert every == backwards
    assert read_texts(open_it()(requests[3:5])) == {request.key: every[request.key] for request in requests[3:5]}
    assert read_texts(open_it(seed=1)(requests)) != every
    greedy: Any = open_qwen(checkpoints["qwen2_5_vl"], make_options())
    assert read_texts(greedy(requests)) != every


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_of_a_question_differ_and_stay_what_they_are(
    family: str, checkpoints: dict[str, str], media: tuple[Path, Dataset]
) -> None:
    requests = ask(media, samples=4)
    assert len({request.key for request in requests}) == len(requests) == 32
    model: Any = open_qwen(checkpoints[family], make_options(temperature=1.0))
    texts = read_texts(model(requests))
    assert {key: text for key, text in texts.items() if len(key) == 2} == read_texts(model(ask(media)))
    alone: Any = open_qwen(checkpoints[family], make_options(temperature=1.0, batch_size=1), share_prefix=False)
    assert texts == read_texts(alone(requests))
    assert len({texts[request.key] for request in requests[:4]}) > 1


def test_draws_follow_the_softmax_at_the_temperature_within_the_nucleus(media: tuple[Path, Dataset]) -> None:
    request = ask(media)[0]
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    draws = 4000
    for temperature, top_p in ((1.0, 1.0), (2.0, 1.0), (1.0, 0.8)):
        sampling = TokenSampling(temperature, top_p, 5)
        generators = [sampling.start(replace(request, rotation=at), torch.device("cpu")) for at in range(draws)]
        drawn = Counter(sampling.draw(logits.expand(draws, -1), generators).tolist())
        expected = torch.softmax(logits / temperature, 0)
        if top_p < 1:  # 0.64 + 0.24 is the least that holds 0.8
            expected = torch.tensor([expected[0], expected[1], 0.0, 0.0]) / expected[:2].sum()
        for token, share in enumerate(expected.tolist()):
            # five standard errors: once in two million
            assert abs(drawn[token] - draws * share) <= 5 * (draws * share * (1 - share)) ** 0.5
