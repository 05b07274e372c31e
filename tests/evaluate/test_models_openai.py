"""The OpenAI backend against a server on this machine: what it sends, and what it makes of every kind of reply."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import demo_evaluation
import loopback_openai
import numpy as np
import pytest
from evaluation_dataset import GRID, make_dataset, make_media
from loopback_openai import MODEL, Loopback, Scripted

from ivbench_data.dataset import Dataset
from ivbench_data.errors import EnvironmentProblemError, UsageError
from ivbench_data.evaluate.evaluation import evaluate_questions
from ivbench_data.evaluate.models import ModelOptions, open_model
from ivbench_data.evaluate.models.openai import OpenAIModel
from ivbench_data.evaluate.models.timing import describe_timing
from ivbench_data.evaluate.outcome_counts import name_outcome
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.evaluate.reply_outcomes import Outcome
from ivbench_data.schema import EvaluationResult
from ivbench_data.workspace import Workspace

KEY = "sk-this-is-secret"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback_openai.serve() as server:
        yield server


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    """A root with three videos and eight questions. To be read, never written to."""
    root, dataset = tmp_path_factory.mktemp("root"), make_dataset()
    make_media(root, dataset)
    return root, dataset


def ask(media: tuple[Path, Dataset], pattern: str = "video_first") -> list[Request]:
    root, dataset = media
    asker = Asker(dataset, Workspace(root, dataset.name), AskOptions(grid=GRID, pattern=pattern))
    return [request for _, request in asker.iterate() if isinstance(request, Request)]


def make_model(server: Loopback, api_key: str | None = None, **values: Any) -> OpenAIModel:
    options = ModelOptions(**{"retries": 2, "timeout_seconds": 5.0, **values})
    return OpenAIModel(MODEL, options, server.base_url, api_key, backoff_seconds=0.01)


def by_key(replies: Iterator[Reply]) -> dict[tuple[str, int], Reply]:
    return {reply.key: reply for reply in replies}


# --- what is sent -----------------------------------------------------------------------------------------------


def test_frames_images_and_times_arrive_as_they_are(server: Loopback, media: tuple[Path, Dataset]) -> None:
    requests = ask(media)
    replies = by_key(make_model(server, concurrency=1)(requests))
    assert len(replies) == len(server.seen) == 8
    for request, seen in zip(requests, server.seen, strict=True):
        assert seen.order == ["video_url", "image_url", "text"]
        assert "".join(seen.texts) == request.text
        assert request.video is not None
        np.testing.assert_array_equal(seen.videos[0], request.video.read().transpose(0, 2, 3, 1))
        np.testing.assert_array_equal(seen.images[0], np.asarray(request.images[0].open()))
        output = seen.body["media_io_kwargs"]["video"]
        times = [index / output["fps"] for index in output["frames_indices"]]
        assert times == pytest.approx(request.video.pts_seconds, abs=0.0005)
        assert output["total_num_frames"] / output["fps"] == request.video.duration_seconds
        assert "Authorization" not in seen.headers
        assert replies[request.key].text == seen.letter
        assert replies[request.key].finish_reason == "stop"


@pytest.mark.parametrize(
    ("pattern", "order"),
    [
        ("image_first", ["image_url", "video_url", "text"]),
        ("video_only", ["video_url", "text"]),
        ("image_only", ["image_url", "text"]),
        ("text_only", ["text"]),
    ],
)
def test_parts_keep_their_order(pattern: str, order: list[str], server: Loopback, media: tuple[Path, Dataset]) -> None:
    assert not [reply.error for reply in make_model(server)(ask(media, pattern)) if reply.error]
    assert all(seen.order == order for seen in server.seen)
    assert all(("media_io_kwargs" in seen.body) == ("video_url" in order) for seen in server.seen)


def test_frames_can_go_as_images(server: Loopback, media: tuple[Path, Dataset]) -> None:
    model = make_model(server, video_as="images", concurrency=1)
    requests = ask(media)
    assert not [reply.error for reply in model(requests) if reply.error]
    for request, seen in zip(requests, server.seen, strict=True):
        assert seen.order == ["image_url"] * 9 + ["text"]
        assert request.video is not None
        np.testing.assert_array_equal(np.stack(seen.images[:8]), request.video.read().transpose(0, 2, 3, 1))
        assert "media_io_kwargs" not in seen.body
    assert model.identity != make_model(server).identity


def test_chosen_frames_keep_their_own_times(server: Loopback, media: tuple[Path, Dataset]) -> None:
    requests = ask(media, "evidence_only")
    assert not [reply.error for reply in make_model(server, concurrency=1)(requests) if reply.error]
    for request, seen in zip(requests, server.seen, strict=True):
        assert request.video is not None
        output = seen.body["media_io_kwargs"]["video"]
        assert [index / 1000 for index in output["frames_indices"]] == list(request.video.pts_seconds)


def test_timing_is_the_processors_for_whole_videos_and_the_gap_for_parts(media: tuple[Path, Dataset]) -> None:
    whole = ask(media)[0].video
    assert whole is not None
    assert describe_timing(whole).sampled_fps == pytest.approx(8 / 80)
    assert describe_timing(whole).average_seconds(2) == [5.0, 25.0, 45.0, 65.0]
    assert describe_timing(whole).average_seconds(3) == [10.0, 40.0, 65.0]
    shuffled = ask(media, "shuffled_frames")[0].video
    assert shuffled is not None
    assert describe_timing(shuffled) == describe_timing(whole)
    part = replace(whole, positions=(2, 3, 4), pts_seconds=(20.0, 30.5, 40.0), shape=(3, 3, 16, 28))
    assert describe_timing(part).sampled_fps == pytest.approx(1 / 10)
    single = replace(whole, positions=(2,), pts_seconds=(20.0,), shape=(1, 3, 16, 28))
    assert describe_timing(single).average_seconds(2) == [20.0]


def test_likelihoods_come_from_the_first_token(server: Loopback, media: tuple[Path, Dataset]) -> None:
    requests = ask(media)
    replies = by_key(make_model(server, mode="likelihood", concurrency=1)(requests))
    for request, seen in zip(requests, server.seen, strict=True):
        assert (seen.body["max_tokens"], seen.body["logprobs"]) == (1, True)
        assert seen.body["top_logprobs"] >= 10
        logprobs = replies[request.key].option_logprobs
        assert logprobs is not None
        assert len(logprobs) == len(request.letters)
        assert logprobs.index(max(logprobs)) == request.letters.index(seen.letter)
        assert replies[request.key].text is None


def test_letters_beyond_the_likeliest_tokens_come_last(server: Loopback, media: tuple[Path, Dataset]) -> None:
    top = [{"token": " C", "logprob": -1.0}, {"token": "C", "logprob": -3.0}, {"token": "The", "logprob": -2.0}]
    body = {"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]}
    server.script.append(Scripted(body=json.dumps(body).encode()))
    (reply,) = make_model(server, mode="likelihood")(ask(media)[:1])
    assert reply.option_logprobs is not None
    assert reply.option_logprobs[2] == pytest.approx(math.log(math.exp(-1) + math.exp(-3)))
    assert all(value < -2.0 for at, value in enumerate(reply.option_logprobs) if at != 2)
    assert reply.metadata["letters_beyond_top"] == list("ABDEFGHIJ")
    assert "undecided" not in reply.metadata  # all that is not listed has less than C


@pytest.mark.parametrize(
    ("top", "answer_index", "match"),
    [
        ({" C": 0.4, "C": 0.05, "The": 0.3}, 2, None),
        ({"C": 0.4, "A": 0.3, "The": 0.11}, None, "beyond the 3 most likely"),  # " A" may have 0.11, too
        ({"C": 0.42, "A": 0.3, "The": 0.11}, 2, None),
        ({"C": 0.4, "The": 0.4}, 2, None),  # what is left is two tenths
        ({"C": 0.1, "B": 0.06, "The": 0.05}, None, "beyond the 3 most likely"),
        ({"C": 0.05, "A": 0.04, "The": 0.905}, 2, None),  # what is left is less than the difference
        ({"The": 0.9, "I think": 0.05}, None, "no option's letter"),
        ({"C": 0.5, "A": 0.5}, 0, None),  # a tie goes to the first option, as elsewhere
    ],
)
def test_letters_that_the_listed_tokens_do_not_decide_are_unread(
    top: dict[str, float], answer_index: int | None, match: str | None, server: Loopback,
    media: tuple[Path, Dataset], tmp_path: Path,
) -> None:  # fmt: skip
    listed = [{"token": token, "logprob": math.log(chance)} for token, chance in top.items()]
    server.script.append(
        Scripted(body=json.dumps({"choices": [{"logprobs": {"content": [{"top_logprobs": listed}]}}]}).encode())
    )
    row = ask_once(tmp_path, media[1], server, None, mode="likelihood")
    assert (row.status, row.answer_index) == ("ok", answer_index)
    assert (match or "") in str(row.metadata.get("undecided", ""))
    assert ("undecided" in row.metadata) == (match is not None)
    assert name_outcome(media[1].questions[0], row) == ("unread" if match else "by_rules")


@pytest.mark.parametrize("top", ["[]", "{}", '[{"token": "A"}]', '[{"token": "A", "logprob": "x"}]', "null", "[3]"])
def test_likelihoods_that_cannot_be_read_are_failed_replies(
    top: str, server: Loopback, media: tuple[Path, Dataset]
) -> None:
    body = '{"choices": [{"logprobs": {"content": [{"top_logprobs": ' + top + "}]}}]}"
    server.script.append(Scripted(body=body.encode()))
    (reply,) = make_model(server, mode="likelihood")(ask(media)[:1])
    assert reply.error


# --- what comes back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_failures_are_tried_again(status: int, server: Loopback, media: tuple[Path, Dataset]) -> None:
    server.script.extend([Scripted(status, b"later"), Scripted(status, b"later")])
    (reply,) = make_model(server)(ask(media)[:1])
    assert reply.text == server.seen[0].letter
    assert server.attempts == reply.metadata["attempts"] == 3


def test_a_connection_that_breaks_is_tried_again(server: Loopback, media: tuple[Path, Dataset]) -> None:
    server.script.append(Scripted(hang_up=True))
    (reply,) = make_model(server)(ask(media)[:1])
    assert reply.error is None
    assert server.attempts == 2


def test_a_server_that_does_not_answer_is_given_up(server: Loopback, media: tuple[Path, Dataset]) -> None:
    requests = ask(media)[:2]
    server.script.extend([Scripted(), Scripted(delay_seconds=30), Scripted(delay_seconds=30)])
    began = time.monotonic()
    replies = by_key(make_model(server, timeout_seconds=0.3, retries=1, concurrency=1)(requests))
    assert time.monotonic() - began < 10
    assert replies[requests[0].key].error is None
    assert "timed out" in (replies[requests[1].key].error or "")
    assert "2 attempts" in (replies[requests[1].key].error or "")


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_says_when_to_come_back(form: str, server: Loopback, media: tuple[Path, Dataset]) -> None:
    later = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.script.append(Scripted(429, b"", {"Retry-After": later}))
    began = time.monotonic()
    (reply,) = make_model(server)(ask(media)[:1])
    assert reply.error is None
    assert time.monotonic() - began >= 0.9


@pytest.mark.parametrize("value", ["soon", "nan", "-5", "inf"])
def test_a_time_to_come_back_that_says_nothing_is_passed_over(
    value: str, server: Loopback, media: tuple[Path, Dataset]
) -> None:
    server.script.append(Scripted(503, b"", {"Retry-After": value}))
    began = time.monotonic()
    (reply,) = make_model(server)(ask(media)[:1])
    assert reply.error is None
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "body",
    [
        b"<html>it works</html>",
        b"[]",
        b"null",
        b'{"choices": [{"message": {"content": ["A"]}}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"choices": NaN}',
    ],
)
def test_garbage_is_a_failed_reply(body: bytes, server: Loopback, media: tuple[Path, Dataset]) -> None:
    requests = ask(media)
    server.script.append(Scripted(body=body))
    replies = by_key(make_model(server, concurrency=1)(requests))
    assert (replies[requests[0].key].error or "").startswith("the server's reply")
    assert all(replies[request.key].error is None for request in requests[1:])


# --- servers' habits --------------------------------------------------------------------------------------------


def say(content: object, finish: str = "stop", **message: object) -> Scripted:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return Scripted(body=json.dumps({"choices": [choice]}).encode())


THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "A?"}]}


@pytest.mark.parametrize(
    ("script", "outcome", "answer_index", "reasoning"),
    [
        (say([{"type": "text", "text": "The answer "}, {"type": "text", "text": "is C."}]), "ok", 2, None),
        (say([THINKING, {"type": "text", "text": "C"}]), "ok", 2, "A?"),
        (say("C", reasoning_content="It may be A. The answer is A."), "ok", 2, "It may be A. The answer is A."),
        (say(None, "length", reasoning_content="The answer is A"), "truncated", None, "The answer is A"),
        (say(None, reasoning="It is a dog."), "empty", None, "It is a dog."),
        (say(""), "empty", None, None),
        (say("", "content_filter"), "filtered", None, None),
        (say(None, refusal="I cannot help with that."), "refused", None, None),
        (say("Let me look. I think that the answer is A. The door seems", "length"), "truncated", None, None),
        (say("The answer is C. The reason is that", "length"), "truncated", 2, None),
        (say("<think>\nIs the answer A? The answer is A. But", "length"), "truncated", None, None),
    ],
)
def test_a_reply_s_outcome_is_kept(
    script: Scripted, outcome: str, answer_index: int | None, reasoning: str | None, server: Loopback,
    media: tuple[Path, Dataset], tmp_path: Path,
) -> None:  # fmt: skip
    row = ask_once(tmp_path, media[1], server, script)
    assert (row.status, row.answer_index, row.reasoning) == (outcome, answer_index, reasoning)
    assert row.finish_reason == json.loads(script.body)["choices"][0]["finish_reason"]
    assert row.reply != "" or outcome != "refused"
    if outcome == "refused":
        assert row.reply == "I cannot help with that."
    if outcome == "truncated":
        assert "raise --max-new-tokens" in str(row.error)


def ask_once(
    root: Path, dataset: Dataset, server: Loopback, script: Scripted | None, retry: tuple[Outcome, ...] = ("failed",),
    mode: str = "generate",
) -> EvaluationResult:  # fmt: skip
    """The row of the dataset's first question, asked by its text."""
    if script is not None:
        server.script.append(script)
    dataset = replace(dataset, questions=dataset.questions[:1])
    options = AskOptions(grid=GRID, pattern="text_only")
    model = make_model(server, mode=mode)
    (row,) = evaluate_questions(dataset, root, model=model, model_name="one", options=options, retry=retry)
    return row


def test_replies_that_are_no_answers_are_kept_until_they_are_named(
    server: Loopback, media: tuple[Path, Dataset], tmp_path: Path
) -> None:
    asked = [(ask_once(tmp_path, media[1], server, say("", "length")).status, server.attempts)]
    again: list[tuple[Outcome, ...]] = [(), ("failed",), ("truncated",), ("truncated",)]
    for retry in again:
        asked.append((ask_once(tmp_path, media[1], server, None, retry).status, server.attempts))
    assert asked == [("truncated", 1), ("truncated", 1), ("truncated", 1), ("ok", 2), ("ok", 2)]


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"message": "Provider returned error", "code": 524}},
        {"error": {"message": "Rate limit exceeded", "code": 429}},
        {"error": "busy"},
        {"choices": []},
        {"choices": None, "error": {"message": "Provider returned error", "code": "502"}},
        {"choices": [{"error": {"message": "Upstream failed", "code": 502}}]},
    ],
)
def test_an_error_under_status_200_is_tried_again(
    document: dict[str, Any], server: Loopback, media: tuple[Path, Dataset]
) -> None:
    server.script.append(Scripted(body=json.dumps(document).encode()))
    (reply,) = make_model(server)(ask(media)[:1])
    assert reply.error is None
    assert reply.metadata["attempts"] == 2


def test_an_error_under_status_200_that_will_not_pass_keeps_its_words(
    server: Loopback, media: tuple[Path, Dataset]
) -> None:
    server.script.append(Scripted(body=b'{"error": {"message": "too long a prompt", "code": 400}}'))
    (reply,) = make_model(server)(ask(media)[:1])
    assert reply.error == "the server returned status 400: too long a prompt"
    assert server.attempts == 1


@pytest.mark.parametrize(
    ("status", "message", "name", "instead"),
    [
        (400, "Unsupported parameter: 'max_tokens' is not supported here. Use 'max_completion_tokens' instead.",
         "max_tokens", "max_completion_tokens"),
        (400, "Unsupported value: 'temperature' does not support 0 with this model.", "temperature", None),
        (422, "Extra inputs are not permitted: seed", "seed", None),
        (400, "Unknown field media_io_kwargs", "media_io_kwargs", None),
    ],
)  # fmt: skip
def test_a_refused_parameter_is_learnt_once_and_said(
    status: int, message: str, name: str, instead: str | None, server: Loopback, media: tuple[Path, Dataset]
) -> None:
    server.script.append(Scripted(status, json.dumps({"error": {"message": message}}).encode()))
    with pytest.warns(UserWarning, match=f"refuses {name}"):
        replies = list(make_model(server, concurrency=1)(ask(media)))
    assert not [reply.error for reply in replies if reply.error]
    assert server.attempts == len(replies) + 1
    for seen in server.seen:
        assert name not in seen.body
        assert instead is None or instead in seen.body
    assert all(reply.metadata["left_out"] == [name] for reply in replies)


def test_too_long_a_context_is_no_refused_parameter(server: Loopback, media: tuple[Path, Dataset]) -> None:
    message = "'max_tokens' is too large: 1024. This model's maximum context length is 1000 tokens."
    server.script.append(Scripted(400, json.dumps({"error": {"message": message}}).encode()))
    (reply,) = make_model(server)(ask(media)[:1])
    assert "maximum context length" in str(reply.error)
    assert server.attempts == 1


def test_tokens_that_spell_one_letter_add_up(server: Loopback, media: tuple[Path, Dataset]) -> None:
    top = [{"token": "A", "logprob": -1.2}, {"token": "C", "logprob": -1.3}, {"token": " C", "logprob": -1.3}]
    body = {"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]}
    server.script.append(Scripted(body=json.dumps(body).encode()))
    (reply,) = make_model(server, mode="likelihood")(ask(media)[:1])
    assert reply.option_logprobs is not None
    assert reply.option_logprobs[2] == pytest.approx(math.log(2) - 1.3)
    assert max(reply.option_logprobs) == reply.option_logprobs[2]
    assert reply.metadata["listed_mass"] == pytest.approx(math.exp(-1.2) + 2 * math.exp(-1.3), abs=1e-6)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_a_failed_reply_with_the_servers_words(
    status: int, server: Loopback, media: tuple[Path, Dataset]
) -> None:
    body = json.dumps({"error": {"message": "maximum context\nlength exceeded"}}).encode()
    server.script.append(Scripted(status, body))
    (reply,) = make_model(server)(ask(media)[:1])
    assert reply.error == f"the server returned status {status}: maximum context length exceeded"
    assert server.attempts == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_every_request_would_meet_ends_the_run_without_the_key(
    status: int, server: Loopback, media: tuple[Path, Dataset]
) -> None:
    server.script.extend([Scripted(status, f"wrong key {KEY}".encode())] * 20)
    with pytest.raises(EnvironmentProblemError, match=str(status)) as raised:
        list(make_model(server, KEY)(ask(media)))
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "You exceeded your current quota, please check your plan.", "code": "insufficient_quota"}),
        (400, {"message": "Your credit balance is too low to access the API."}),
        (402, {"message": "Insufficient credits"}),
        (200, {"message": "Insufficient Balance", "code": 402}),
    ],
)
def test_a_spent_quota_ends_the_run_at_once_in_the_server_s_words(
    status: int, error: dict[str, Any], server: Loopback, media: tuple[Path, Dataset]
) -> None:
    server.script.extend([Scripted(), *[Scripted(status, json.dumps({"error": error}).encode())] * 20])
    replies = make_model(server, concurrency=1)(ask(media))
    assert next(replies).error is None
    with pytest.raises(EnvironmentProblemError) as raised:
        list(replies)
    assert error["message"] in str(raised.value)
    assert server.attempts == 2


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        ("You exceeded your current quota. Please retry in 1s.", {}),
        ("You exceeded your current quota.", {"Retry-After": "0"}),
    ],
)
def test_a_quota_by_the_minute_is_waited_for(
    message: str, headers: dict[str, str], server: Loopback, media: tuple[Path, Dataset]
) -> None:
    server.script.append(Scripted(429, json.dumps({"error": {"message": message}}).encode(), headers))
    (reply,) = make_model(server)(ask(media)[:1])
    assert (reply.error, reply.metadata["attempts"]) == (None, 2)


def test_a_server_that_refuses_every_request_ends_the_run(server: Loopback, media: tuple[Path, Dataset]) -> None:
    refused = Scripted(400, b'{"error": {"message": "At most 1 image may be provided in one prompt."}}')
    server.script.extend([refused] * 8)
    with pytest.raises(EnvironmentProblemError, match=r"refused 3 requests and answered none.*At most 1 image"):
        list(make_model(server, concurrency=1)(ask(media)))
    assert server.attempts == 3


def test_a_server_that_answers_some_goes_on_after_refusals(server: Loopback, media: tuple[Path, Dataset]) -> None:
    refused = Scripted(400, b'{"error": {"message": "maximum context length exceeded"}}')
    server.script.extend([refused, refused, Scripted(), refused, refused, refused])
    replies = list(make_model(server, concurrency=1)(ask(media)))
    assert [reply.error is None for reply in replies] == [False, False, True, False, False, False, True, True]


def test_a_proxy_that_is_no_address_is_named(
    server: Loopback, media: tuple[Path, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://[")
    with pytest.raises(EnvironmentProblemError, match="proxy"):
        list(make_model(server)(ask(media)))


def test_a_server_that_is_not_there_is_named(media: tuple[Path, Dataset]) -> None:
    options = ModelOptions(retries=1)
    model = OpenAIModel(MODEL, options, "http://127.0.0.1:9/v1", backoff_seconds=0.01)
    with pytest.raises(EnvironmentProblemError, match=r"cannot reach the server: http://127.0.0.1:9/v1"):
        list(model(ask(media)))


def test_redirects_are_not_followed(server: Loopback, media: tuple[Path, Dataset]) -> None:
    server.script.append(Scripted(307, b"", {"Location": "http://192.0.2.1/"}))
    (reply,) = make_model(server, KEY)(ask(media)[:1])
    assert reply.error == "the server returned status 307"


def test_requests_go_out_together_up_to_the_limit(server: Loopback, media: tuple[Path, Dataset]) -> None:
    server.script.extend([Scripted(delay_seconds=0.2) for _ in range(8)])
    assert len(list(make_model(server, concurrency=3)(ask(media)))) == 8
    assert server.most_at_once == 3


def test_stopping_early_waits_for_no_further_attempt(server: Loopback, media: tuple[Path, Dataset]) -> None:
    server.script.extend([Scripted(), *[Scripted(503, b"", {"Retry-After": "250"})] * 8])
    replies = make_model(server, concurrency=2)(ask(media))
    began = time.monotonic()
    next(replies)
    replies.close()
    assert time.monotonic() - began < 5


def test_damaged_media_are_failed_replies(server: Loopback, tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    requests = ask((tmp_path, dataset))
    workspace = Workspace(tmp_path, dataset.name)
    damaged = workspace.cache_path(GRID, "beta")
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    workspace.image_path("alpha_0.png").write_bytes(b"no image")
    failed = {reply.key[0]: reply.error for reply in make_model(server)(requests) if reply.error}
    assert set(failed) == {"alpha_0", "beta_3", "beta_4", "beta_7"}
    assert str(damaged) in str(failed["beta_3"])


# --- opening ----------------------------------------------------------------------------------------------------


def test_the_key_comes_from_the_environment_and_stays_out_of_results(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    server.script.append(Scripted(400, f"unknown key {KEY}".encode()))
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    rows = list(evaluate_questions(dataset, tmp_path, model=f"openai:{MODEL}", options=AskOptions(grid=GRID)))
    assert len(rows) == 8
    assert {seen.headers["Authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    written = b"".join(path.read_bytes() for path in (tmp_path / dataset.name / "results").iterdir())
    assert b"unknown key" in written
    assert KEY.encode() not in written
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("base_url", "match"),
    [
        (None, "no server is named"),
        ("localhost:8000", "is not the base URL of a server"),
        ("file:///etc/passwd", "is not the base URL of a server"),
        ("http://user:secret@localhost/v1", "keep secrets out"),
        ("http://localhost/v1?key=secret", "keep secrets out"),
    ],
)
def test_addresses_that_cannot_be_meant_are_refused(base_url: str | None, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        open_model(f"openai:{MODEL}", ModelOptions(base_url=base_url))


def test_a_key_that_no_header_can_hold_is_refused_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nX: y")
    with pytest.raises(UsageError) as raised:
        open_model(f"openai:{MODEL}", ModelOptions(base_url="http://localhost/v1"))
    assert KEY not in str(raised.value)


# --- the evaluator with a server --------------------------------------------------------------------------------


def test_an_interrupted_evaluation_ends_with_the_same_rows(server: Loopback, tmp_path: Path) -> None:
    dataset = make_dataset()
    server.spoken = "The answer is {letter}."
    for name in ("whole", "halved"):
        make_media(tmp_path / name, dataset)

    def run(root: Path) -> Iterator[EvaluationResult]:
        options = ModelOptions(base_url=server.base_url, concurrency=2)
        return evaluate_questions(
            dataset, root, model=f"openai:{MODEL}", options=AskOptions(grid=GRID), model_options=options
        )

    whole = {row.question_id: row for row in run(tmp_path / "whole")}
    rows = run(tmp_path / "halved")
    for _ in range(3):
        next(rows)
    rows.close()
    resumed = {row.question_id: row for row in run(tmp_path / "halved")}
    assert len(whole) == 8
    assert len({row.answer_index for row in whole.values()}) > 2

    def strip(rows: dict[str, EvaluationResult]) -> list[EvaluationResult]:
        return [row.model_copy(update={"seconds": None}) for _, row in sorted(rows.items())]

    assert strip(whole) == strip(resumed)
    assert server.attempts < 16 + 2, "what was answered was asked again"


@pytest.mark.full
def test_the_demo_scores_the_same_after_a_kill(server: Loopback, demo_media: Path, tmp_path: Path) -> None:
    asked = ("--model", f"openai:{MODEL}", "--base-url", server.base_url)
    whole = demo_evaluation.make_root(demo_media, tmp_path / "whole")
    killed = shutil.copytree(whole, tmp_path / "killed")
    demo_evaluation.finish(demo_evaluation.start(whole, *asked))
    server.script.extend([Scripted(delay_seconds=0.05)] * 60)
    there = demo_evaluation.kill_after(demo_evaluation.start(killed, *asked), killed, 13)
    assert 13 <= there < demo_evaluation.QUESTIONS
    server.script.clear()
    demo_evaluation.finish(demo_evaluation.start(killed, *asked))
    assert demo_evaluation.count_rows(killed) == demo_evaluation.QUESTIONS
    assert demo_evaluation.score(whole) == demo_evaluation.score(killed)
