from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.card.changelog import list_ids, write_changelog
from ivbench_data.publish.changes import EditionChanges, choose_version, find_changes, make_draft
from ivbench_data.publish.publication_record import (
    PublishedSplit,
    PublishedVersion,
    digest_public_question,
    digest_scored_fields,
    read_published,
    write_published,
)
from ivbench_data.schema import Question
from ivbench_data.withdrawals import Withdrawal, record_withdrawals

WHEN = date(2026, 11, 21)
GONE = Withdrawal(
    video_id="w",
    why="the owner asked\n# for `it` <b>|",
    when=datetime(2026, 11, 20, 9, tzinfo=UTC),
    question_ids=("w_0", "w_1"),
)


def make_question(question_id: str, **changes: object) -> Question:
    fields: dict[str, object] = {
        "question_id": question_id,
        "video_id": question_id.rpartition("_")[0],
        "question": "Which?",
        "options": ("this", "that", "neither"),
        "answer": "that",
        "answer_index": 1,
        "task": "Counting",
        "source": "test",
    }
    return Question.model_validate({**fields, **changes})


def hide(question: Question) -> Question:
    return question.model_copy(update={"answer": None, "answer_index": None, "answers_hidden": True})


BEFORE = tuple(make_question(question_id) for question_id in ("a_0", "a_1", "b_0", "b_1", "c_0", "w_0", "w_1"))
SPLITS = {"test": ("a_0", "a_1", "b_0", "w_0", "w_1"), "mini": ("b_1", "c_0")}


def publish(
    questions: Iterable[Question],
    splits: dict[str, tuple[str, ...]],
    version: str = "1.2.3",
    withdrawn: tuple[Withdrawal, ...] = (),
) -> PublishedVersion:
    by_id = {question.question_id: question for question in questions}
    return PublishedVersion(
        dataset="made",
        version=version,
        canary="a canary",
        splits={
            name: PublishedSplit(questions=ids, hidden=any(by_id[at].answers_hidden for at in ids))
            for name, ids in splits.items()
        },
        question_digests={at: digest_public_question(by_id[at]) for ids in splits.values() for at in ids},
        score_digests={at: digest_scored_fields(by_id[at]) for ids in splits.values() for at in ids},
        withdrawn=withdrawn,
    )


def compare(
    questions: Iterable[Question],
    splits: dict[str, tuple[str, ...]],
    withdrawn: tuple[Withdrawal, ...] = (),
    rescored: Collection[str] = (),
    earlier: PublishedVersion | None = None,
) -> EditionChanges:
    dataset = Dataset("made", questions=tuple(questions), provenance=record_withdrawals({}, withdrawn))
    digests = {question.question_id: digest_public_question(question) for question in dataset.questions}
    return find_changes(earlier or publish(BEFORE, SPLITS), make_draft(dataset, splits, digests), rescored)


def replace_in(questions: Iterable[Question], *others: Question) -> tuple[Question, ...]:
    by_id = {question.question_id: question for question in questions}
    return tuple({**by_id, **{other.question_id: other for other in others}}.values())


# --- what changed ---------------------------------------------------------------------------------------------------


def test_the_same_rows_change_nothing() -> None:
    changes = compare(BEFORE, SPLITS)
    assert (changes.count(), changes.bump) == ({}, None)
    assert choose_version(changes) == "1.2.3"
    assert write_changelog("what was there", "1.2.3", changes, WHEN) == "what was there"


def test_each_kind_of_change_is_found_by_id() -> None:
    questions = replace_in(
        [question for question in BEFORE if question.question_id not in ("a_1", "w_0", "w_1")],
        make_question("a_0", question="Which one?"),
        make_question("b_0", answer="this", answer_index=0),
        make_question("d_0"),
        make_question("d_1"),
    )
    changes = compare(questions, {"test": ("a_0", "b_0", "b_1", "d_1"), "mini": ("c_0", "d_0")}, (GONE,))
    assert changes.added == {"test": ("d_1",), "mini": ("d_0",)}
    assert changes.removed == ("a_1",)
    assert [one.question_ids for one in changes.withdrawn] == [("w_0", "w_1")]
    assert [(one.source, one.target, one.question_ids) for one in changes.moved] == [("mini", "test", ("b_1",))]
    assert changes.rescored == ("b_0",)
    assert changes.repaired == ("a_0",)
    assert changes.count() == {"added": 2, "removed": 1, "withdrawn": 2, "moved": 1, "rescored": 1, "repaired": 1}
    assert choose_version(changes) == "2.0.0"


@pytest.mark.parametrize(
    "change",
    [
        {"options": ("that", "this", "neither"), "answer_index": 0},
        {"options": ("this", "that", "both")},
        {"task": "Existence"},
        {"group_id": "a pair"},
    ],
)
def test_another_worth_of_a_reply_is_a_major_change(change: dict[str, object]) -> None:
    changes = compare(replace_in(BEFORE, make_question("a_0", **change)), SPLITS)
    assert (changes.rescored, changes.bump) == (("a_0",), "major")


def test_a_withdrawal_is_told_once() -> None:
    splits = {"test": ("a_0", "a_1", "b_0"), "mini": ("b_1", "c_0")}
    after = publish(BEFORE, splits, "2.0.0", (GONE,))
    assert compare(BEFORE, splits, (GONE,), earlier=after).count() == {}
    unpublished = GONE.model_copy(update={"video_id": "x", "question_ids": ("x_0",)})
    assert compare(BEFORE, splits, (GONE, unpublished), earlier=after).withdrawn == ()
    back = compare(BEFORE, SPLITS, (), earlier=after)
    assert (back.restored, back.added, back.bump) == (("w",), {"test": ("w_0", "w_1")}, "minor")


def test_hidden_answers_leave_no_trace() -> None:
    """Two datasets that differ in hidden answers alone are the same version, to the byte."""
    told = [hide(make_question("a_0")), hide(make_question("a_0", answer="this", answer_index=0))]
    versions = [publish([question], {"test": ("a_0",)}) for question in told]
    assert versions[0] == versions[1]
    changes = compare(told[:1], {"test": ("a_0",)}, earlier=versions[1])
    assert changes.bump is None
    said = compare(told[:1], {"test": ("a_0",)}, earlier=versions[1], rescored=["a_0"])
    assert (said.rescored, said.bump) == (("a_0",), "major")
    with pytest.raises(UsageError, match="'b_0' is not in both"):
        compare(told[:1], {"test": ("a_0",)}, earlier=versions[1], rescored=["b_0"])


def test_hiding_and_revealing_a_split_is_said_of_the_split() -> None:
    hidden = [hide(question) for question in BEFORE]
    changes = compare(hidden, SPLITS)
    assert (changes.hidden, changes.rescored, changes.repaired, changes.bump) == (("test", "mini"), (), (), "major")
    changes = compare(BEFORE, SPLITS, earlier=publish(hidden, SPLITS))
    assert (changes.revealed, changes.rescored, changes.bump) == (("test", "mini"), (), "major")


# --- the number -----------------------------------------------------------------------------------------------------

ADDED = compare((*BEFORE, make_question("d_0")), {**SPLITS, "new": ("d_0",)})
REPAIRED = compare(replace_in(BEFORE, make_question("a_0", question="Which one?")), SPLITS)
REMOVED = compare(BEFORE, {"test": SPLITS["test"], "mini": ("b_1",)})


@pytest.mark.parametrize(
    ("changes", "wanted", "chosen"),
    [
        (ADDED, None, "1.3.0"),
        (ADDED, "major", "2.0.0"),
        (ADDED, "1.4.7", "1.4.7"),
        (REPAIRED, None, "1.2.4"),
        (REPAIRED, "minor", "1.3.0"),
        (REMOVED, None, "2.0.0"),
        (REMOVED, "3.1.0", "3.1.0"),
        (compare(BEFORE, SPLITS), "patch", "1.2.4"),
        (EditionChanges(earlier=None, sizes={"test": 1}), None, "1.0.0"),
        (EditionChanges(earlier=None, sizes={"test": 1}), "0.1.0", "0.1.0"),
        (REMOVED.model_copy(update={"earlier": "0.3.1"}), None, "0.4.0"),
    ],
)
def test_the_least_honest_step_is_taken_unless_a_larger_one_is_wanted(
    changes: EditionChanges, wanted: str | None, chosen: str
) -> None:
    assert choose_version(changes, wanted) == chosen


@pytest.mark.parametrize(
    ("changes", "wanted", "told"),
    [
        (ADDED, "patch", "1 added.*at least 1.3.0"),
        (ADDED, "1.2.9", "at least 1.3.0"),
        (REMOVED, "minor", "1 removed.*at least 2.0.0"),
        (REPAIRED, "1.2.3", "does not come after"),
        (REPAIRED, "1.1.9", "does not come after"),
        (REPAIRED, "1.3", "no version"),
        (REPAIRED, "1.3.0-rc1", "no version"),
        (REPAIRED, "01.3.0", "no version"),
        (REPAIRED, "biggest", "no version"),
    ],
)
def test_a_smaller_step_than_the_changes_is_refused(changes: EditionChanges, wanted: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        choose_version(changes, wanted)


# --- the changelog --------------------------------------------------------------------------------------------------


def read_ids(text: str) -> set[str]:
    """The ids that a line of the changelog names, by its own rule."""
    ids = set()
    for fence, code in re.findall(r"(`+) ?(.*?) ?\1(?=[,.])", text, re.DOTALL):
        if code.startswith('"'):
            ids.add(json.loads(code))
        elif match := re.fullmatch(r"(.*)\{([\d,]+)\}", code):
            ids.update(f"{match[1]}{number}" for number in match[2].split(","))
        else:
            ids.add(code)
        assert fence
    return ids


IDS = st.one_of(
    st.builds("{}_{}".format, st.sampled_from(["a", "-b_", "aB3-_xYz012", "é"]), st.integers(0, 30)),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.sampled_from(["a_", "a", "a_01", "a_{0,1}", "`", "``x", '"a"', "a_" + "9" * 5000, "x, y", "](http://evil)"]),
)


@given(st.lists(IDS, unique=True, max_size=60))
def test_ids_are_listed_compactly_and_none_is_lost(ids: list[str]) -> None:
    listed = list_ids(ids)
    assert read_ids(" ".join(f"{code}," for code in listed)) == set(ids)
    assert len(listed) <= len(ids)
    assert all("\n" not in code for code in listed)


def test_the_questions_of_a_video_are_listed_together() -> None:
    assert list_ids(["v_2", "v_0", "other", "v_10", "w_1"]) == ["`v_{0,2,10}`", "`other`", "`w_1`"]


def test_a_section_tells_all_in_words_that_cannot_act() -> None:
    questions = replace_in(
        [question for question in BEFORE if question.question_id not in ("a_1", "w_0", "w_1")],
        make_question("a_0", question="Which one?"),
        make_question("b_0", answer="this", answer_index=0),
        make_question("d_0"),
    )
    changes = compare(questions, {"test": ("a_0", "b_0", "b_1"), "mini": ("c_0", "d_0")}, (GONE,))
    text = write_changelog(None, "2.0.0", changes, WHEN)
    assert text.startswith("# Changelog of the data\n")
    assert "## [2.0.0] - 2026-11-21\n\n5 questions: `test` 3, `mini` 2.\n" in text
    assert re.findall("^### (.*)$", text, re.MULTILINE) == ["Added", "Changed", "Fixed", "Removed"]
    assert "- 1 question in `mini`: `d_0`.\n" in text
    assert "- 1 question moved from `mini` to `test`: `b_1`.\n" in text
    assert "- What counts as right is another thing in 1 question: `b_0`.\n" in text
    assert "- 1 question repaired, with the same answer: `a_0`.\n" in text
    why = "the owner asked \\# for \\`it\\` &lt;b&gt;\\|"
    assert f"- The video `w` was withdrawn on 2026-11-20 ({why}), and with it " in text
    assert "`w_{0,1}`." in text
    assert "- 1 question: `a_1`.\n" in text
    assert max(map(len, text.splitlines())) <= 120


@given(st.lists(st.sampled_from([ADDED, REPAIRED, REMOVED]), min_size=1, max_size=4), st.booleans())
def test_the_newest_stands_first_and_the_earlier_text_stays_as_it_is(
    all_changes: list[EditionChanges], edited: bool
) -> None:
    text = write_changelog(None, "1.0.0", EditionChanges(earlier=None, sizes={"test": 3}), WHEN)
    if edited:
        text = text.replace("The first version.", "The first version.\r\n\n## a heading of ours, with ünïcode").replace(
            "## [1.0.0]", "## [Unreleased]\n\n- to do\n\n## [1.0.0]"
        )
    version = "1.0.0"
    for changes in all_changes:
        before = text
        version = choose_version(changes.model_copy(update={"earlier": version}))
        text = write_changelog(before, version, changes, WHEN)
        # what was there is there still, in one piece before the new section and one after it
        at = text.index(f"## [{version}] - ")
        end = text.index("\n## ", at) + 1
        assert text[:at] + text[end:] == before
    found = re.findall(r"^## \[(\d.*?)\]", text, re.MULTILINE)
    assert found[0] == version
    assert [tuple(map(int, name.split("."))) for name in found] == sorted(
        (tuple(map(int, name.split("."))) for name in found), reverse=True
    )


def test_long_lists_are_broken_between_ids_alone() -> None:
    videos = [f"long-video-id-{letter}" for letter in "abcdefgh"]
    new = [make_question(f"{video_id}_{at}") for video_id in videos for at in range(9)]
    changes = compare((*BEFORE, *new), {**SPLITS, "new": tuple(question.question_id for question in new)})
    text = write_changelog(None, "1.3.0", changes, WHEN)
    (item,) = re.findall(r"- 72 questions in `new`: (.*?)\.\n", text, re.DOTALL)
    assert read_ids(item + ".") == {question.question_id for question in new}
    assert "\n  `" in item


# --- the record -----------------------------------------------------------------------------------------------------


def test_the_record_of_a_version_is_read_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("published")
    version = publish(BEFORE, SPLITS, withdrawn=(GONE,))
    write_published(folder / "publish.json", version)
    content = (folder / "publish.json").read_bytes()
    assert read_published(folder) == read_published(folder / "publish.json") == version
    write_published(folder / "publish.json", read_published(folder))
    assert (folder / "publish.json").read_bytes() == content
    assert version.split_of["c_0"] == "mini"
    with pytest.raises(UsageError, match="there is no"):
        read_published(folder / "elsewhere.json")
    for damage in (b"{", content[:-9], content.replace(b'"1.2.3"', b'"1.2"'), content.replace(b"c_0", b"b_1")):
        (folder / "publish.json").write_bytes(damage)
        with pytest.raises(DatasetError, match=r"publish\.json"):
            read_published(folder)


def test_a_record_that_contradicts_itself_is_refused() -> None:
    version = publish(BEFORE, SPLITS).model_dump()
    for damage, told in (
        ({"splits": {**version["splits"], "again": version["splits"]["mini"]}}, "is in two splits"),
        ({"question_digests": {}}, "differ in the question 'a_0'"),
        ({"splits": {"no-name": version["splits"]["mini"]}}, "should match pattern"),
        ({"splits": {"mini": {"questions": (), "answers_sha256": "0" * 64}}}, "not hidden"),
    ):
        with pytest.raises(ValueError, match=told):
            PublishedVersion.model_validate({**version, **damage})


def test_digests_see_pictures_but_not_defaults() -> None:
    question = make_question("a_0")
    assert (
        digest_public_question(question, ["1" * 64])
        != digest_public_question(question, ["2" * 64])
        != digest_public_question(question)
    )
    assert digest_public_question(question) == digest_public_question(question.model_copy(update={"metadata": {}}))
    # pinned: an earlier version's digests are compared with those of later releases of this package
    assert digest_public_question(question) == "73e1e52d114de9551c9cb1db4661e370762b3f8d8607675cea27e654bae1ac49"
