"""The options that say how a question is asked: each reaches the model or is refused, and is part of the identity."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import loopback_openai
import pytest
from evaluation_dataset import make_dataset, make_media
from hypothesis import given
from hypothesis import strategies as st
from loopback_openai import MODEL, Loopback

from ivbench_data.evaluate.prompts.asking import AskOptions, choose_profile
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.evaluate.results import Results, read_results
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import Question

COUNT = len(make_dataset().questions)
SHOWS_ALL = "{{ question }}\n{% for option in options %}{{ letters[loop.index0] }}) {{ option }}\n{% endfor %}"

MODELS = """
def answer(request):
    print(repr(request.system), request.text)
    return request.letters[0]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_media(tmp_path / "data", make_dataset())
    (tmp_path / "asked_model.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback_openai.serve() as server:
        yield server


@pytest.fixture
def evaluate(root: Path, run_cli: Callable[..., Any]) -> Callable[..., Any]:
    """A run of `evaluate` on the small dataset."""

    def run_it(model: str, *arguments: str | Path) -> Any:
        grid = ("--grid", "8x16", "--dataset", "tiny", "--root", root)
        return run_cli("evaluate", "--model", model, *grid, *arguments)

    return run_it


@pytest.fixture
def ask_server(evaluate: Callable[..., Any], server: Loopback) -> Callable[..., list[dict[str, Any]]]:
    """A run of `evaluate` on the server; the bodies of the requests that it saw in this run."""

    def run_it(*arguments: str | Path) -> list[dict[str, Any]]:
        before = len(server.seen)
        done = evaluate(f"openai:{MODEL}", "--base-url", server.base_url, *arguments)
        assert done.code == 0, done.err
        return [seen.body for seen in server.seen[before:]]

    return run_it


def _read_all(root: Path) -> list[Results]:
    return [read_results(path) for path in sorted((root / "tiny" / "results").glob("*.jsonl"))]


# --- what reaches a server --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sent", "stored"),
    [
        (("--temperature", "0.5"), {"temperature": 0.5}, {"temperature": 0.5}),
        (("--top-p", "0.9"), {"top_p": 0.9}, {"top_p": 0.9}),
        (("--seed", "7"), {"seed": 7}, {"seed": 7}),
        (("--extra-body", '{"top_k": 20}'), {"top_k": 20}, {"extra_body": {"top_k": 20}}),
        (
            ("--chat-template-kwargs", '{"enable_thinking": false}'),
            {"chat_template_kwargs": {"enable_thinking": False}},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
        (("--cot",), {}, {"cot": True}),
        (("--system", "Be brief."), {}, {"system": "Be brief."}),
    ],
)
def test_what_changes_answers_reaches_the_server_and_has_a_file_of_its_own(
    arguments: tuple[str, ...],
    sent: dict[str, Any],
    stored: dict[str, Any],
    root: Path,
    ask_server: Callable[..., list[dict[str, Any]]],
) -> None:
    plain = ask_server()
    assert len(plain) == COUNT
    assert all((body["temperature"], body["seed"]) == (0, 0) and "top_p" not in body for body in plain)
    bodies = ask_server(*arguments)
    assert len(bodies) == COUNT
    assert all(sent.items() <= body.items() for body in bodies)
    assert ask_server(*arguments) == ask_server() == []
    options = [results.configuration.model_options for results in _read_all(root)]
    assert sorted(options, key=len) == [{}, stored]


def test_a_system_message_comes_first_from_a_text_or_a_file(
    root: Path, server: Loopback, ask_server: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    assert len(ask_server("--system", "Be brief.\nÄ")) == COUNT
    assert {seen.system for seen in server.seen} == {"Be brief.\nÄ"}
    (tmp_path / "system.txt").write_text("Be brief.\nÄ\n", encoding="utf-8")
    assert ask_server("--system", f"@{tmp_path / 'system.txt'}") == []
    (with_system,) = _read_all(root)
    assert len(ask_server()) == COUNT
    digests = [{row.prompt_digest for row in results.rows.values()} for results in _read_all(root)]
    assert digests[0].isdisjoint(digests[1])
    assert len(with_system.rows) == COUNT


def test_a_template_is_the_prompt_and_its_digest_the_identity(
    root: Path, server: Loopback, ask_server: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text("Task {{ task }}, {{ nframes }} frames of {{ duration_seconds }} s.\n" + SHOWS_ALL)
    assert len(ask_server("--prompt-template", path)) == COUNT
    (text,) = (seen.texts[0] for seen in server.seen if "number 0?" in seen.texts[0])  # they arrive in any order
    assert text.startswith("Task Existence, 8 frames of 80.0 s.\nWhich thing is it, number 0?\nA) thing 0-0\nB) thing")
    copy = path.rename(tmp_path / "renamed.jinja")
    assert ask_server("--prompt-template", copy) == []
    copy.write_text(copy.read_text() + "Answer.")
    assert len(ask_server("--prompt-template", copy)) == COUNT
    digests = {results.configuration.model_options["prompt_template"] for results in _read_all(root)}
    assert len(digests) == 2


def test_wording_in_a_template_is_what_the_profile_would_write(
    server: Loopback, ask_server: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    (tmp_path / "wrapped.jinja").write_text("{{ wording }}\nReally.")
    plain = ask_server("--profile", "paper")
    wrapped = ask_server("--profile", "paper", "--prompt-template", tmp_path / "wrapped.jinja")
    texts = [[body["messages"][0]["content"][-1]["text"] for body in bodies] for bodies in (plain, wrapped)]
    assert {f"{text}\nReally." for text in texts[0]} == set(texts[1])


# --- which questions --------------------------------------------------------------------------------------------


def test_limit_and_ids_choose_questions_and_change_no_file(
    root: Path, ask_server: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    assert len(ask_server("--limit", "2")) == 2
    assert _read_all(root)[0].rows.keys() == {("alpha_0", 0), ("alpha_1", 0)}
    assert len(ask_server("--ids", "beta_4,-gamma_5")) == 2
    (tmp_path / "ids.txt").write_text("beta_4\nalpha_2\n\n")
    assert len(ask_server("--ids", f"@{tmp_path / 'ids.txt'}")) == 1
    assert ask_server("--tasks", "Counting", "--limit", "1") == []
    assert len(ask_server()) == COUNT - 5
    (results,) = _read_all(root)
    assert len(results.rows) == COUNT


# --- what a model of another kind makes of it -------------------------------------------------------------------


def test_a_function_sees_system_message_and_template(evaluate: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(SHOWS_ALL)
    done = evaluate(
        "python:asked_model:answer",
        "--system",
        "Be brief.",
        "--prompt-template",
        tmp_path / "mine.jinja",
        "--limit",
        "1",
    )
    assert done.code == 0
    assert "'Be brief.' Which thing is it, number 0?\nA) thing 0-0" in done.err


@pytest.mark.parametrize("backend", ["python:asked_model:answer", "baseline:random", "nowhere/at-all", "openai:x"])
@pytest.mark.parametrize(
    ("arguments", "takers"),
    [
        (("--system", "x"), "openai transformers python"),
        (("--prompt-template", "mine.jinja"), "openai transformers python"),
        (("--cot",), "openai transformers python"),
        (("--temperature", "1"), "openai transformers"),
        (("--temperature", "1", "--top-p", "0.5"), "openai transformers"),
        (("--temperature", "1", "--seed", "1"), "openai transformers"),
        (("--chat-template-kwargs", '{"a": 1}'), "openai transformers"),
        (("--extra-body", '{"a": 1}'), "openai"),
    ],
)
def test_each_kind_of_model_takes_an_option_or_says_who_does(
    backend: str, arguments: tuple[str, ...], takers: str, evaluate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ivbench_data.evaluate.models import MODELS

    opened: list[str] = []

    def note(name: str, options: object, dataset: object) -> Callable[..., Iterator[Any]]:
        opened.append(name)
        return lambda requests: iter(())

    for kind in MODELS:
        monkeypatch.setitem(MODELS, kind, note)
    Path("mine.jinja").write_text(SHOWS_ALL)
    kind = backend.partition(":")[0] if ":" in backend else "transformers"
    done = evaluate(backend, *arguments)
    if kind in takers.split():
        assert opened
        assert "means nothing" not in done.err
    else:
        assert (done.code, opened) == (2, [])
        assert (
            f"means nothing to {kind}: models; it is for {' and '.join(f'{one}:' for one in takers.split())}"
            in done.err
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mode", "likelihood", "--temperature", "1"), "--temperature means nothing to --mode likelihood"),
        (("--mode", "likelihood", "--cot"), "--cot means nothing to --mode likelihood"),
        (("--extra-body", "[1]"), "--extra-body is a JSON object"),
        (("--extra-body", "{"), "--extra-body is not JSON"),
        (
            ("--extra-body", '{"temperature": 1}'),
            "--extra-body sets 'temperature', which is not free; use --temperature",
        ),
        (("--extra-body", '{"stream": true}'), "--extra-body sets 'stream', which is not free"),
        (("--extra-body", "@nowhere.json"), "--extra-body cannot read nowhere.json"),
        (("--chat-template-kwargs", '{"tokenize": true}'), "--chat-template-kwargs sets 'tokenize', which is not free"),
        (("--system", " "), "--system is empty"),
        (("--ids", "alpha_0,nobody"), "there is no question named 'nobody'"),
        (("--ids", ","), "--ids names no question"),
        (("--cot", "--profile", "paper"), "the profile paper has a wording of its own"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    arguments: tuple[str, ...], message: str, root: Path, server: Loopback, evaluate: Callable[..., Any]
) -> None:
    done = evaluate(f"openai:{MODEL}", "--base-url", server.base_url, *arguments)
    assert done.code == 2
    assert message in done.err
    assert server.attempts == 0
    assert not (root / "tiny" / "results").exists()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ question }}", "does not show option 1 of 10 ({{ options }}) of alpha_0"),
        ("{{ options }}", "does not show the question ({{ question }}) of alpha_0"),
        ("{{ question }} {{ options[:4] }}", "does not show option 5 of 10"),
        (SHOWS_ALL + "{{ secret }}", "names 'secret', which is not defined; there are: question, options,"),
        (SHOWS_ALL + "{% if task == 'never' %}{{ secret }}{% endif %}", "names 'secret'"),
        (SHOWS_ALL + "{{ category }}", "cannot be rendered for alpha_0: 'category' is undefined"),
        (SHOWS_ALL + "{{ options[10] }}", "cannot be rendered for alpha_0"),
        (SHOWS_ALL + "{{ 1 // 0 }}", "cannot be rendered for alpha_0"),
        (SHOWS_ALL + "{{ options.append('x') }}", "cannot be rendered for alpha_0"),
        (SHOWS_ALL + "{{ question.__class__.__mro__ }}", "cannot be rendered for alpha_0"),
        (SHOWS_ALL + "{% include 'x' %}", "cannot be rendered for alpha_0"),
        (SHOWS_ALL + "{% if %}", "is not valid, in line 3"),
        (" ", "is empty"),
    ],
)
def test_a_template_that_cannot_do_is_refused_before_a_model_is_opened(
    template: str, message: str, evaluate: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "mine.jinja").write_text(template)
    done = evaluate("nowhere/at-all", "--prompt-template", tmp_path / "mine.jinja")
    assert done.code == 2
    assert message in done.err


def test_a_template_and_a_chain_of_thought_are_one_too_many(evaluate: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(SHOWS_ALL)
    done = evaluate("nowhere/at-all", "--prompt-template", tmp_path / "mine.jinja", "--cot")
    assert done.code == 2
    assert "a template has a wording of its own" in done.err


# --- the chain of thought and its reader ------------------------------------------------------------------------


def _word(question: Question, cot: bool) -> str:
    profile = choose_profile(AskOptions(cot=cot), question.source)
    return profile.word(question, question.options, PATTERNS["video_first"], None)


@given(at=st.integers(0, 9), first=st.integers(0, 9), markup=st.sampled_from(("{}", "**{}**", "{}.", "({})", "`{}`")))
def test_the_last_line_that_is_asked_for_is_what_is_read(at: int, first: int, markup: str) -> None:
    question = make_dataset().questions[0]
    reasons = f"Option {LETTERS[first]} looks likely at first. The image shows another thing, though."
    score = score_reply(question, f"{reasons}\n\nFinal answer: {markup.format(LETTERS[at])}")
    assert score.answer_index == at


def test_a_chain_of_thought_asks_each_type_for_its_kind_of_answer() -> None:
    chosen = make_dataset().questions[0]
    truth = chosen.model_copy(update={"question_type": "tf", "options": ("True", "False"), "answer_index": 0})
    number = chosen.model_copy(update={"question_type": "numeric", "options": (), "answer": "3", "answer_index": None})
    text = number.model_copy(update={"question_type": "open"})
    asked = 'Think step by step. Then end with one more line: "Final answer:", followed by'
    listed = _word(chosen, cot=False).removesuffix("Answer with the option's letter from the given choices directly.")
    assert _word(chosen, cot=True) == f"{listed}{asked} the option's letter."
    for question, answer in ((truth, "one of: True, False"), (number, "a number"), (text, "your answer")):
        assert _word(question, cot=True) == f"{chosen.question}\n{asked} {answer}."
    reasons = "There are 5 or 2 of them, I think. It may be false."
    assert score_reply(truth, f"{reasons}\nFinal answer: True").answer_index == 0
    assert score_reply(number, f"{reasons}\nFinal answer: 3").value == 3


def test_results_without_the_options_have_the_digest_that_they_always_had(
    root: Path, evaluate: Callable[..., Any]
) -> None:
    """The configuration of a run of the last release, as it stands in its file."""
    known = {
        "format_version": 1, "dataset": "tiny", "model": "baseline:random", "model_options": {}, "model_identity": {},
        "pattern": "video_first", "profile": "default", "grid": "8x16", "prompt_version": 1,
    }  # fmt: skip
    assert evaluate("baseline:random").code == 0
    (path,) = (root / "tiny" / "results").glob("*.jsonl")
    assert json.loads(path.read_text().splitlines()[0])["configuration"] == known
