"""`ivbench-data score`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.evaluate.compare import Comparison, Signature
    from ivbench_data.evaluate.metrics.units import JudgeReplies
    from ivbench_data.evaluate.results import Results
    from ivbench_data.evaluate.score_tables import Table
    from ivbench_data.evaluate.scores import Scorecard
    from ivbench_data.publish.hidden.submissions import Submission
    from ivbench_data.workspace import Workspace

WIDTH_OF_THE_PAPERS_TABLE = 225
"""Terminal width in columns from which the paper's table fits."""

PROBLEMS_SHOWN = 1000
"""Most invalid lines of a submission that are printed; `--json` lists all."""


@click.command(
    "score",
    epilog="""\b
Examples:
  ivbench-data score
  ivbench-data score data/ivbench/results/3f2a….jsonl --markdown table.md --figure tasks.png --report errors.html
  ivbench-data score 3f2a 91bc
  ivbench-data score 3f2a --dataset vlm2bench --judge openai:gpt-4o --judge-url https://api.example/v1
  ivbench-data score 3f2a --read-with openai:gpt-4o-mini --read-url https://api.example/v1
  ivbench-data score --diagnose
  ivbench-data score --answers data/mine/private/answers-test-1.0.0.jsonl SUBMISSION.jsonl

\b
A line of a submission, in one of two ways; answer_index counts the options as published, from 0:
  {"question_id": "v1_0", "reply": "The answer is C."}
  {"question_id": "v1_1", "answer_index": 2}""",
)
@click.argument("results", nargs=-1)
@click.option(
    "--answers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Score a submission against the hidden answers in this file; omitted questions count as wrong.",
)
@click.option("--diagnose", is_flag=True, help="Test the results for known failure signatures.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table as Markdown.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write the table as CSV.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw a bar plot per task to this PNG or SVG.")
@click.option("--report", type=click.Path(path_type=Path), help="Write an HTML page of the first file's wrong answers.")
@click.option(
    "--judge",
    metavar="NAME",
    help="LLM judge for tasks with free-text answers: openai:NAME or python:module:function.  [default: none]",
)
@click.option("--judge-url", metavar="URL", help="Base URL of the judge's OpenAI-compatible server, up to /v1.")
@click.option(
    "--read-with",
    metavar="NAME",
    help="Model that reads replies which the rules cannot: which option they name, never whether it is right. "
    "openai:NAME, python:module:function or transformers:NAME.  [default: none]",
)
@click.option("--read-url", metavar="URL", help="Base URL of that model's OpenAI-compatible server, up to /v1.")
@click.option("--paper/--no-paper", default=True, show_default=True, help="Show the paper's rows below ours.")
@dataset_option
@root_option
@json_option
def command(
    results: tuple[str, ...],
    answers: Path | None,
    diagnose: bool,
    markdown: Path | None,
    csv_path: Path | None,
    figure: Path | None,
    report: Path | None,
    judge: str | None,
    judge_url: str | None,
    read_with: str | None,
    read_url: str | None,
    paper: bool,
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Score results files, in the paper's columns. RESULTS are paths, or prefixes of file names.

    Without RESULTS, all results of the dataset are scored; two RESULTS are also compared, question by question. With
    --answers, RESULTS is one submission, and no dataset is needed. Replies that need a judge stay unscored without
    --judge; judge replies are kept and not asked for again. Exit code 1 when the judge did not reply to some.
    """
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.evaluate.compare import compare_results
    from ivbench_data.evaluate.compare import diagnose as find_signatures
    from ivbench_data.evaluate.score_tables import make_paper_table
    from ivbench_data.evaluate.scores import score_results
    from ivbench_data.manifests import find_manifest
    from ivbench_data.workspace import Workspace

    workspace = Workspace(root, dataset) if answers is None else None
    submission: Submission | None = None
    if answers is not None:
        loaded, submission, read = _read_submission(answers, results)
        if submission.problems:
            _show_problems(submission, as_json)
            return 1
    else:
        loaded, read = _read_results(Workspace(root, dataset), results)
    read, unsaid = _read_with(loaded, read, workspace or Workspace(root, loaded.name), read_with, read_url)
    judge_replies, unjudged = _ask_judge(loaded, read, workspace or Workspace(root, loaded.name), judge, judge_url)
    cards = [score_results(loaded, item, workspace, replies) for item, replies in zip(read, judge_replies, strict=True)]
    comparison = compare_results(loaded, *read) if len(results) == 2 else None
    signatures = list(find_signatures(loaded, read)) if diagnose else []
    table = make_paper_table(cards, find_manifest(loaded), paper)
    _write_tables(table, cards, markdown, csv_path)
    _draw(loaded, read, cards, workspace, figure, report)
    if as_json:
        about = {} if submission is None else {"submission": _describe_submission(submission)}
        print_json(
            {
                **about,
                "scores": [card.model_dump(mode="json") for card in cards],
                "table": table.to_records(),
                "comparison": comparison.model_dump(mode="json") if comparison else None,
                "signatures": [signature.model_dump(mode="json") for signature in signatures],
                "unjudged": unjudged,
                "reader_failed": unsaid,
            }
        )
        return 1 if unjudged or unsaid else 0
    show_cards(cards, loaded, with_paper=paper)
    _show_left_out(submission)
    _show_comparison(comparison)
    _show_signatures(signatures)
    for path in filter(None, (markdown, csv_path, figure, report)):
        say(f"Written: {path}")
    if submission is not None and report is not None:
        say(f"{report} shows hidden answers: keep it to yourself.", style="bold red")
    for reason, count in unjudged.items():
        say(f"{count:,} replies could not be judged: {reason}", style="yellow")
    for reason, count in unsaid.items():
        say(f"{count:,} replies could not be read by {read_with}: {reason}", style="yellow")
    return 1 if unjudged or unsaid else 0


def _read_results(workspace: Workspace, names: tuple[str, ...]) -> tuple[Dataset, list[Results]]:
    """The dataset and its named results files; without names all, ordered by model and pattern."""
    from ivbench_data.dataset import load
    from ivbench_data.evaluate.prompts.patterns import PATTERNS
    from ivbench_data.evaluate.results import find_results, read_results

    dataset = load(workspace.folder)
    read = [read_results(path) for path in find_results(workspace.results, names)]
    if not read:
        raise UsageError(
            f"there are no results in {workspace.results}. Create some with: ivbench-data evaluate --model …"
        )
    if not names:
        order = {pattern: place for place, pattern in enumerate(PATTERNS)}  # an imported run may have none of them
        read.sort(key=lambda it: (it.configuration.model, order.get(it.configuration.pattern, len(order)), it.name))
    return dataset, read


def _write_tables(table: Table, cards: Sequence[Scorecard], markdown: Path | None, csv_path: Path | None) -> None:
    from ivbench_data.atomic_files import write_bytes
    from ivbench_data.evaluate.score_tables import make_readings_table

    page = f"{table.to_markdown()}\n{make_readings_table(cards).to_markdown()}"
    for path, text in ((markdown, page), (csv_path, table.to_csv())):
        if path is not None:
            write_bytes(path, text.encode())


def _draw(
    dataset: Dataset,
    results: list[Results],
    cards: list[Scorecard],
    workspace: Workspace | None,
    figure: Path | None,
    report: Path | None,
) -> None:
    """Write the figure and the page of wrong answers, where asked for."""
    from ivbench_data.atomic_files import write_bytes
    from ivbench_data.evaluate.score_figures import draw_tasks
    from ivbench_data.evaluate.wrong_answers_page import make_error_report
    from ivbench_data.plotting import save_figure

    if figure is not None:
        save_figure(draw_tasks(cards), figure)
    if report is not None:
        write_bytes(report, make_error_report(dataset, results[0], cards[0], workspace).encode())


def _read_with(
    dataset: Dataset, results: Sequence[Results], workspace: Workspace, name: str | None, url: str | None
) -> tuple[list[Results], dict[str, int]]:
    """The results with what a model read, and how many replies it said nothing of, by reason."""
    from ivbench_data.cli.console import track
    from ivbench_data.evaluate.model_reader import ask_reader, find_unread, open_reader, read_with_model
    from ivbench_data.evaluate.models import ModelOptions
    from ivbench_data.schema import make_key

    if name is None:
        if url is not None:
            raise UsageError("--read-url needs --read-with, which names the model")
        return list(results), {}
    reader = open_reader(name, ModelOptions(base_url=url))
    made: list[Results] = []
    unsaid: Counter[str] = Counter()
    for item in results:
        asked = ask_reader(dataset, workspace.root, item, reader, name)
        rows = list(track(asked, "Reading", len(find_unread(dataset, item))))
        unsaid.update(row.error for row in rows if row.error is not None)
        said = {make_key(row.question_id, row.rotation, row.sample): row for row in rows if row.error is None}
        made.append(read_with_model(dataset, item, said))
    return made, dict(unsaid)


def _ask_judge(
    dataset: Dataset, results: Sequence[Results], workspace: Workspace, name: str | None, url: str | None
) -> tuple[list[JudgeReplies | None], dict[str, int]]:
    """The judge's replies for each results file, and how many it did not give, by reason."""
    from ivbench_data.cli.console import say, track
    from ivbench_data.evaluate.llm_judge import ask_judge, needs_judge, open_judge, write_prompts
    from ivbench_data.evaluate.metrics.units import JudgeReplies
    from ivbench_data.evaluate.models import ModelOptions

    if name is None:
        if url is not None:
            raise UsageError("--judge-url needs --judge, which names the judge")
        return [None] * len(results), {}
    judge = open_judge(name, ModelOptions(base_url=url))
    if not needs_judge(dataset):
        say(f"No task of {dataset.name} needs a judge: {name} is not asked.")
    judge_replies: list[JudgeReplies | None] = []
    unjudged: Counter[str] = Counter()
    for item in results:
        rows = track(
            ask_judge(dataset, workspace.root, item, judge, name), "Judging", len(write_prompts(dataset, item))
        )
        replies = {row.question_id: row for row in rows}
        unjudged.update(row.error for row in replies.values() if row.error is not None)
        kept = {key: row.reply for key, row in replies.items() if row.reply is not None}
        judge_replies.append(JudgeReplies(name, kept))
    return judge_replies, dict(unjudged)


def _read_submission(answers: Path, results: tuple[str, ...]) -> tuple[Dataset, Submission, list[Results]]:
    """The dataset of the hidden answers, the submission, and its results (none if it has invalid lines)."""
    from ivbench_data.dataset import Dataset
    from ivbench_data.publish.hidden.hidden_answers import read_answers
    from ivbench_data.publish.hidden.submissions import make_results, read_submission

    if len(results) != 1:
        raise UsageError(f"--answers scores one submission at a time, and {len(results)} are named")
    file = read_answers(answers)
    submission = read_submission(Path(results[0]), file)
    if submission.problems:
        return Dataset(file.header.dataset), submission, []
    dataset, made = make_results(submission, file)
    return dataset, submission, [made]


def _show_problems(submission: Submission, as_json: bool) -> None:
    from ivbench_data.cli.console import print_json, say

    if as_json:
        print_json({"submission": _describe_submission(submission), "scores": []})
        return
    for problem in submission.problems[:PROBLEMS_SHOWN]:
        say(str(problem))
    count = len(submission.problems)
    if count > PROBLEMS_SHOWN:
        say(f"… and {count - PROBLEMS_SHOWN:,} more")
    say(f"Refused: {count:,} lines of {submission.path} are invalid. Nothing was scored.", style="bold red")


def _describe_submission(submission: Submission) -> dict[str, object]:
    return {
        "file": str(submission.path),
        "problems": [problem.model_dump() for problem in submission.problems],
        "answered": len(submission.given),
        "left_out": list(submission.left_out),
    }


def show_cards(cards: Sequence[Scorecard], dataset: Dataset, with_paper: bool) -> None:
    """Print the scores and, below them, the paper's rows; for a single results file with intervals and slices."""
    from ivbench_data.cli.console import print_table, say, stdout
    from ivbench_data.evaluate.score_tables import make_paper_table, warn_of_unread, write_cell
    from ivbench_data.manifests import find_manifest

    table = make_paper_table(cards, find_manifest(dataset), with_paper)
    rows = [tuple(map(write_cell, row)) for row in table.rows]
    ours, paper = rows[: len(cards)], rows[len(cards) + sum(card.overall.as_benchmark is not None for card in cards) :]
    if stdout().width >= WIDTH_OF_THE_PAPERS_TABLE:
        print_table("Accuracy in %", table.columns, rows)
    elif len(cards) > 1:
        # the paper's columns do not fit: print them as rows, with a numbered column per results file
        body = [(name, *(row[at] for row in ours)) for at, name in enumerate(table.columns) if at > 1]
        print_table("Accuracy in %", ("", *map(str, range(1, len(cards) + 1))), body)
    if len(cards) == 1:
        _show_details(cards[0], dataset)
    if paper and stdout().width < WIDTH_OF_THE_PAPERS_TABLE:
        known = [
            at for at in range(len(table.columns)) if any(row[at] is not None for row in table.rows[-len(paper) :])
        ]
        means = [at for at in known if table.columns[at] in ("model", "Overall") or table.columns[at].endswith("-Avg")]
        columns = [table.columns[at] for at in means]
        print_table(
            f"Accuracy in %, on another set of questions ({paper[0][1]})",
            columns,
            [tuple(row[at] for at in means) for row in paper],
        )
    for number, card in enumerate(cards, start=1):
        say(f"{number}. {_describe(card)}" if len(cards) > 1 else _describe(card))
        if (warning := warn_of_unread(card)) is not None:
            say(f"Warning: {warning}.", style="bold yellow")


def _name_clusters(dataset: Dataset) -> str:
    """What the intervals are clustered by."""
    with_video = [question.video_id is not None for question in dataset.questions]
    if all(with_video):
        return "video"
    return "video, image or pair" if any(with_video) else "image or pair"


def _show_details(card: Scorecard, dataset: Dataset) -> None:
    from ivbench_data.cli.console import print_table
    from ivbench_data.evaluate.score_tables import make_detail_table, write_cell

    rows: list[tuple[object, ...]] = []
    for name, kind, questions, accuracy, low, high, chance, *_, theirs in make_detail_table(card).rows:
        label = str(name) if kind in ("all", "group", "task") else f"{kind}: {name}"
        figure = "–" if accuracy is None else f"{write_cell(accuracy)} [{write_cell(low)}, {write_cell(high)}]"
        rows.append((label, questions, figure, write_cell(chance), write_cell(theirs)))
    columns: tuple[str, ...] = ("", "n", "accuracy", "chance", "as the benchmark")
    if card.overall.as_benchmark is None:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    title = f"{card.name}: accuracy in %, with 95 % intervals by {_name_clusters(dataset)}"
    print_table(title, columns, rows)


def _describe(card: Scorecard) -> str:
    from ivbench_data.evaluate.score_tables import describe_readings, percent, write_cell

    counts, overall = card.denominators, card.overall
    parts = [
        f"{counts.evaluated:,} of {counts.in_dataset:,} questions evaluated",
        f"{counts.fetched:,} have their media here" if counts.fetched is not None else "",
        f"{counts.released:,} released" if counts.released is not None else "",
        f"{overall.missing:,} missing" if overall.missing else "",
        f"{overall.failed:,} failed" if overall.failed else "",
        f"{overall.inapplicable:,} not applicable" if overall.inapplicable else "",
        f"mean of {card.tasks_in_mean[0]} of {card.tasks_in_mean[1]} tasks" if card.tasks_in_mean else "",
        f"{overall.unscored:,} not scored: half a pair, or a text without a judge's score" if overall.unscored else "",
        f"judged by {card.judge}" if card.judge else "",
        f"{counts.withdrawn:,} withdrawn" if counts.withdrawn else "",
        f"{counts.unscorable:,} without options or with hidden answers" if counts.unscorable else "",
        f"{card.samples:,} samples of each, a missing one counts as wrong" if card.samples > 1 else "",
        f"parsed {write_cell(percent(overall.parse_rate))} %",
        describe_readings(card),
    ]
    if overall.missing and card.overall_with_missing_as_wrong is not None:
        parts.append(f"with missing ones as wrong {write_cell(percent(card.overall_with_missing_as_wrong))} %")
    if card.right_in_all is not None and card.right_in_all.accuracy is not None:
        right = f"{write_cell(percent(card.right_in_all.accuracy.value))} % right in all of {card.rotations} rotations"
        parts.append(f"{right}, {write_cell(percent(card.mean_of_rotations))} % on average over them")
    return f"{card.name}: {'; '.join(part for part in parts if part)}."


def _show_left_out(submission: Submission | None) -> None:
    from ivbench_data.cli.console import say

    if submission is not None and submission.left_out:
        count, total = len(submission.left_out), len(submission.left_out) + len(submission.given)
        say(f"{count:,} of {total:,} questions are left out of it, and count as wrong.", style="yellow")


def _show_comparison(comparison: Comparison | None) -> None:
    from ivbench_data.cli.console import print_table, say

    if comparison is None:
        return
    rows = []
    for task in (comparison.overall, *comparison.tasks):
        difference = task.paired.difference
        rows.append(
            (
                task.name,
                task.questions,
                f"{100 * task.first:.1f}",
                f"{100 * task.second:.1f}",
                f"{100 * difference.value:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]",
                f"{task.holm_p_value:.3g}",
            )
        )
    title = "The same questions in both, with 95 % intervals and p by video"
    print_table(title, ("", "n", "first", "second", "difference", "p"), rows)
    mcnemar = comparison.overall.paired.mcnemar
    say(f"First: {comparison.first}. Second: {comparison.second}. The tasks' p are adjusted by Holm.")
    right, alone, test = "Right", " alone", "McNemar's test"
    if max(comparison.samples) > 1:
        right, alone, test = "Right more often", "", "The sign test"
    say(
        f"{right} in the first{alone}: {mcnemar.only_first:,}; in the second{alone}: {mcnemar.only_second:,}. {test}, "
        f"as if questions were independent: p = {mcnemar.p_value:.3g}."
    )
    if comparison.only_first or comparison.only_second:
        say(
            f"Left out: {comparison.only_first:,} questions that only the first evaluated, {comparison.only_second:,} "
            "that only the second did.",
            style="yellow",
        )


def _show_signatures(signatures: Sequence[Signature]) -> None:
    from rich.text import Text

    from ivbench_data.cli.console import stdout
    from ivbench_data.cli.plain import show_plain

    words = {True: "found", False: "not found", None: "unknown"}
    styles = {True: "bold red", False: "green", None: "dim"}
    console, model = stdout(), None
    for one in signatures:
        if one.model != model:
            model = one.model
            console.print(Text(f"Known failure signatures of {show_plain(model)}", style="bold"), soft_wrap=True)
        line = Text.assemble(
            "  ", (f"{words[one.found]:9}", styles[one.found]), f"  {one.name}: {show_plain(one.statement)}"
        )
        console.print(line, soft_wrap=True)
