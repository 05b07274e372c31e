"""`ivbench-data evaluate`."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ivbench_data.cli.asking_options import ASKING, asking_options
from ivbench_data.cli.options import NumberRange, dataset_option, json_option, root_option
from ivbench_data.errors import MissingDependencyError, UsageError
from ivbench_data.schema import FrameGrid, Sampler

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.evaluate.evaluation import RunPlan
    from ivbench_data.evaluate.models import ModelOptions
    from ivbench_data.evaluate.prompts.asking import AskOptions
    from ivbench_data.evaluate.prompts.requests import Model
    from ivbench_data.evaluate.reply_outcomes import Outcome
    from ivbench_data.evaluate.scores import Scorecard
    from ivbench_data.workspace import Workspace


@click.command(
    "evaluate",
    epilog="""\b
Examples:
  ivbench-data evaluate --model Qwen/Qwen2.5-VL-7B-Instruct --nframes 32 --res 240
  ivbench-data evaluate --model baseline:random --rotations all
  ivbench-data evaluate --model python:my_model:answer --pattern image_first --tasks Counting
  ivbench-data evaluate --model openai:NAME --base-url URL --cot --temperature 0.7 --limit 50
  ivbench-data evaluate --model Qwen/Qwen2.5-VL-7B-Instruct --sweep frames --figure frames.png""",
)
@click.option(
    "--model", required=True, help="Model on the Hub or in a folder; or backend:name, such as baseline:random."
)
@click.option("--nframes", type=click.IntRange(1, 65_536), help="Frames per video, from the cache.  [default: 32]")
@click.option("--res", type=click.IntRange(1, 8192), help="Short side of the frames in pixels.  [default: 240]")
@click.option(
    "--grid", "identity", metavar="NxRES…", help="Cache grid, instead of --nframes and --res, such as 32x252-m28."
)
@click.option(
    "--multiple-of",
    type=click.IntRange(1, 1024),
    default=2,
    show_default=True,
    help="Frame sides are multiples of this.",
)
@click.option("--sampler", type=click.Choice(get_args(Sampler)), default="linspace_round", show_default=True)
@click.option("--pattern", default="video_first", show_default=True, help="Which visuals are shown, in which order.")
@click.option(
    "--profile",
    default="default",
    show_default=True,
    help="Wording of questions and parser of replies: default, paper, …",
)
@click.option(
    "--rotations", default="1", show_default=True, metavar="N|all", help="Number of option rotations per question."
)
@click.option("--tasks", multiple=True, metavar="TASK", help="Only this task; repeat it for several.")
@asking_options
@click.option("--mode", type=click.Choice(("generate", "likelihood")), default="generate", show_default=True)
@click.option("--max-new-tokens", type=click.IntRange(1), default=1024, show_default=True)
@click.option("--dtype", default="auto", show_default=True, help="auto, bfloat16, float16 or float32.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda:0, or several: cuda:0,cuda:1.")
@click.option("--attn", help="Attention implementation, such as sdpa or flash_attention_2.")
@click.option("--revision", help="Commit, tag or branch of the model's repository.")
@click.option("--batch-size", type=click.IntRange(0), default=0, help="Questions per batch.  [default: as many as fit]")
@click.option("--base-url", help="Base URL of an OpenAI-compatible server, up to /v1.")
@click.option(
    "--video-as", type=click.Choice(("video", "images")), default="video", help="How frames are sent to a server."
)
@click.option("--concurrency", type=click.IntRange(1), default=8, show_default=True, help="Concurrent requests.")
@click.option("--timeout", type=NumberRange(0, min_open=True), default=600.0, show_default=True, metavar="SECONDS")
@click.option("--retries", type=click.IntRange(0), default=5, show_default=True, help="Retries of a failed request.")
@click.option(
    "--retry",
    default="failed",
    show_default=True,
    metavar="OUTCOMES",
    help="Outcomes to ask again, as truncated,empty,filtered,refused,failed; or none.",
)
@click.option("--fresh", is_flag=True, help="Ask every question again; earlier results go to results/replaced/.")
@click.option("--sweep", help="Run an ablation: patterns, frames, resolution, budget or tokens.")
@click.option("--token-budget", type=click.IntRange(1), help="With --sweep tokens: visual tokens per question.")
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    help="Draw the scores, as PNG or SVG.  [with --sweep: reports/sweep-….svg]",
)
@dataset_option
@root_option
@json_option
def command(
    model: str,
    nframes: int | None,
    res: int | None,
    identity: str | None,
    multiple_of: int,
    sampler: Sampler,
    pattern: str,
    profile: str,
    rotations: str,
    tasks: tuple[str, ...],
    retry: str,
    fresh: bool,
    sweep: str | None,
    token_budget: int | None,
    figure: Path | None,
    dataset: str,
    root: Path,
    as_json: bool,
    **answering: Any,
) -> int:
    """Ask a model the questions, with frames from the cache, and store every answer in results/.

    Run the same command again to resume after an interruption, or to ask failed questions again; replies that are
    empty, cut off, filtered or refused are asked again with --retry. Exit code 1 when a question failed, when none was
    answered, or when the frames of an available video are not in the cache.
    """
    from ivbench_data.dataset import load
    from ivbench_data.evaluate.models import ModelOptions, open_model
    from ivbench_data.evaluate.prompts.asking import AskOptions
    from ivbench_data.evaluate.sweeps import DEFAULT_TOKEN_BUDGET, SWEEPS, SweepPoint, name_token_rule, plan_sweep
    from ivbench_data.workspace import Workspace

    if sweep is not None and sweep not in SWEEPS:
        raise UsageError(f"there is no sweep named {sweep!r}; there are: {', '.join(SWEEPS)}")
    options = AskOptions(
        grid=_choose_grid(identity, nframes, res, multiple_of, sampler),
        pattern=pattern,
        profile=profile,
        rotations=_parse_rotations(rotations),
        tasks=tasks,
        **{name: answering.pop(name) for name in ASKING},
    )
    answering["timeout_seconds"] = answering.pop("timeout")
    model_options = ModelOptions(**answering)
    loaded, workspace = load(root / dataset), Workspace(root, dataset)
    options.check(loaded)
    points = [SweepPoint("", options)]
    if sweep is not None:
        points = plan_sweep(sweep, options, name_token_rule(model), token_budget or DEFAULT_TOKEN_BUDGET)
    opened = open_model(model, model_options, loaded, options)
    run = _Run(loaded, workspace, model, opened, model_options, _parse_retry(retry), fresh, quiet=as_json)
    return run.evaluate(points, sweep, figure)


def _choose_grid(
    identity: str | None, nframes: int | None, res: int | None, multiple_of: int, sampler: Sampler
) -> FrameGrid:
    if identity is None:
        return FrameGrid(nframes=nframes or 32, res=res or 240, multiple_of=multiple_of, sampler=sampler)
    if nframes or res:
        raise UsageError("--grid replaces --nframes and --res; leave --nframes and --res out")
    try:
        return FrameGrid.parse(identity)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _parse_rotations(text: str) -> int:
    from ivbench_data.evaluate.prompts.asking import MAX_ROTATIONS

    if text == "all":
        return 0
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_ROTATIONS:
        raise UsageError(f"--rotations is a number from 1 to {MAX_ROTATIONS}, or all, not {text!r}")
    return int(text)


def _parse_retry(text: str) -> tuple[Outcome, ...]:
    from ivbench_data.evaluate.reply_outcomes import Outcome

    outcomes: dict[str, Outcome] = {outcome: outcome for outcome in get_args(Outcome) if outcome != "ok"}
    words = [word.strip() for word in text.split(",")] if text != "none" else []
    if unknown := [word for word in words if word not in outcomes]:
        raise UsageError(f"--retry takes {', '.join(outcomes)}, or none, not {unknown[0]!r}")
    return tuple(outcomes[word] for word in words)


class _Run:
    """One run of the command: one point, or the points of a sweep."""

    def __init__(
        self,
        dataset: Dataset,
        workspace: Workspace,
        model_name: str,
        model: Model,
        model_options: ModelOptions,
        retry: tuple[Outcome, ...],
        fresh: bool,
        quiet: bool,
    ) -> None:
        self.dataset = dataset
        self.workspace = workspace
        self.model_name = model_name
        self.model = model
        self.model_options = model_options
        self.retry = retry
        self.fresh = fresh
        self.quiet = quiet
        self.plans: list[RunPlan] = []
        self.statuses: Counter[str] = Counter()
        self.reasons: dict[tuple[str, str], None] = {}
        self.has_missing_caches = False

    def evaluate(self, points: list[Any], sweep: str | None, figure: Path | None) -> int:
        from ivbench_data.cli.console import print_json, say
        from ivbench_data.evaluate.sweeps import find_missing_caches

        for command, count in find_missing_caches(self.dataset, self.workspace, points).items():
            self.has_missing_caches = True
            say(
                f"{count:,} available videos are not in the cache; create it with: "
                f"ivbench-data cache --dataset {self.dataset.name} {command}",
                style="yellow",
            )
        for point in points:
            self._ask(point.options, point.label.split("\n")[0] or "Asking")
        try:
            cards = [self._score(plan.path) for plan in self.plans]
        except MissingDependencyError as error:
            say(f"The answers are stored, but not scored: {error}", style="yellow")
            cards = []
        if sweep is not None and figure is None:
            named = re.sub(r"[^A-Za-z0-9]+", "-", self.model_name).strip("-")
            figure = self.workspace.reports / f"sweep-{sweep}-{named[:80]}.svg"
        if figure is not None and cards:
            self._draw(figure, sweep, [point.label for point in points], cards)
        if self.quiet:
            print_json(
                {
                    "results": [str(plan.path) for plan in self.plans],
                    "replaced": [str(plan.replaced) for plan in self.plans if plan.replaced is not None],
                    "kept": sum(plan.kept for plan in self.plans),
                    "asked": sum(plan.asked for plan in self.plans),
                    "statuses": dict(self.statuses),
                    "scores": [card.model_dump(mode="json") for card in cards],
                }
            )
        else:
            self._show(cards)
        return 1 if self.statuses["failed"] or self.has_missing_caches or not self.statuses["ok"] else 0

    def _ask(self, options: AskOptions, label: str) -> None:
        from ivbench_data.cli.console import track
        from ivbench_data.evaluate.evaluation import evaluate_questions
        from ivbench_data.evaluate.prompts.asking import Asker

        rows = evaluate_questions(
            self.dataset,
            self.workspace.root,
            model=self.model,
            options=options,
            model_options=self.model_options,
            model_name=self.model_name,
            retry=self.retry,
            fresh=self.fresh,
            on_plan=self._note_plan,
        )
        total = Asker(self.dataset, self.workspace, options).count_requests()
        for row in track(rows, label, total=total, quiet=self.quiet):
            self.statuses[row.status] += 1
            if row.error is not None:
                self.reasons[row.status, row.error] = None

    def _note_plan(self, plan: RunPlan) -> None:
        from ivbench_data.cli.console import say

        self.plans.append(plan)
        if plan.replaced is not None:
            say(f"The earlier answers were moved to {plan.replaced}.", style="yellow")
        say(f"{plan.path.stem}: {plan.kept:,} answers kept, {plan.asked:,} questions asked.")

    def _score(self, path: Path) -> Scorecard:
        from ivbench_data.evaluate.results import read_results
        from ivbench_data.evaluate.scores import score_results

        return score_results(self.dataset, read_results(path), self.workspace)

    def _draw(self, figure: Path, sweep: str | None, labels: list[str], cards: list[Scorecard]) -> None:
        from ivbench_data.cli.console import say
        from ivbench_data.evaluate.score_figures import draw_sweep, draw_tasks
        from ivbench_data.plotting import save_figure

        if sweep is None:
            drawn = draw_tasks(cards)
        else:
            lines = [(self.model_name, [(label, card.overall) for label, card in zip(labels, cards, strict=True)])]
            drawn = draw_sweep(lines, sweep)
        save_figure(drawn, figure)
        if not self.quiet:
            say(f"Figure: {figure}")

    def _show(self, cards: list[Scorecard]) -> None:
        from ivbench_data.cli.console import say
        from ivbench_data.cli.score import show_cards
        from ivbench_data.evaluate.reply_outcomes import NO_ANSWERS

        total = sum(self.statuses.values())
        for status, count in self.statuses.items():
            reasons = [reason for of_status, reason in self.reasons if of_status == status]
            if reasons:
                more = f"; {len(reasons) - 1:,} more reasons are in the results" if len(reasons) > 1 else ""
                again = f"; --retry {status} asks again" if status in NO_ANSWERS else ""
                say(f"{count:,} of {total:,} {status}: {reasons[0]}{more}{again}", style="yellow")
        if cards:
            show_cards(cards, self.dataset, with_paper=False)
        for plan in self.plans:
            say(f"Answers: {plan.path}")
