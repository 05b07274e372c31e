"""The package as others meet it: what importing it costs, what it needs, what it carries, how its rooms are ordered."""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from itertools import takewhile
from pathlib import Path

import pytest

import ivbench_data
from ivbench_data.cli import VERBS
from ivbench_data.manifests import manifest_names, packaged_folder
from ivbench_data.sources import SOURCES

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "ivbench_data"

HEAVY = {
    "PIL", "av", "datasets", "huggingface_hub", "imagehash", "jinja2", "matplotlib", "numpy", "rich",
    "safetensors", "scipy", "sklearn", "statsmodels", "torch", "transformers", "yt_dlp",
}  # fmt: skip

# The rooms in the order in which data flows (docs/design.md); a module imports only what stands above it, or in its own
# room. A room with rooms inside says their order, too. What has no place here yet gets one, where the reader of the
# journey would look for it.
ROOMS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "schema": (),
    "atomic_files": (),
    "strict_json": (),
    "timecodes": (),
    "retry_after": (),
    "workspace": (),
    "withdrawals": (),
    "dataset": (),
    "hidden_record": (),
    "questions": (),
    "manifests": (),
    "ledger": (),
    "statistics": (),
    "significance": (),
    "plotting": (),
    "html": (),
    "text": (),
    "query_images": (),
    "perceptual_hash": (),
    "workers": (),
    "sources": (),
    "video": (
        "file_kinds", "mp4_boxes", "mp4_sample_tables", "stream_choice", "opening", "rotation", "container_crop",
        "display", "bitstream", "decode", "levels", "whole_decode", "fingerprint", "content_match", "verify",
        "stray_files",
    ),
    "frames": (
        "grids", "cached_grids", "samplers", "frame_file", "display_digest", "cache", "torch_dataset", "reader",
        "cache_plan",
    ),
    "fetch": (),
    "durations": (),
    "validate": (
        "checks", "findings_file", "repair", "agreement", "review", "necessity_report", "necessity", "coverage",
        "probe", "report",
    ),
    "evaluate": (
        "replies", "prompts", "reply_outcomes", "metrics", "reply_scores", "models", "results", "asked_once",
        "llm_judge", "sampled_rows", "sample_figures", "outcome_counts", "model_reader", "run_claim", "evaluation",
        "stored_replies", "import_results",
        "scores", "conditions", "compare", "score_tables", "score_figures", "sweeps", "wrong_answers_page",
    ),
    "publish": (
        "publication_record", "tables", "published_damage", "changes", "hidden", "splits", "selfcheck", "card", "hub",
        "edition", "build", "publishing", "published_dataset",
    ),
    "exports": (),
    "takedown": (),
    "doctor": (),
    "cli": (),
}  # fmt: skip
OUTSIDE_THE_ORDER = {"__init__", "__main__"}
"""The two faces: one names what is public, the other calls the command line."""


def run_python(code: str, *arguments: str, python: str | Path = sys.executable) -> str:
    """What a fresh interpreter prints, outside of the repository."""
    done = subprocess.run(
        [python, "-c", code, *arguments], capture_output=True, text=True, cwd=PACKAGE.anchor, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- what importing costs ---------------------------------------------------------------------------------------

LOADED_BY = """
import json, sys
before = set(sys.modules)
{code}
roots = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print("\\n" + json.dumps(sorted(roots - set(sys.stdlib_module_names) - {{"ivbench_data"}})))
"""


def loaded_by(code: str) -> set[str]:
    """Third-party packages that some code loads."""
    return set(json.loads(run_python(LOADED_BY.format(code=code)).splitlines()[-1]))


def test_import_loads_no_other_package() -> None:
    assert loaded_by("import ivbench_data; ivbench_data.__version__; dir(ivbench_data)") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_loads_nothing_but_click(arguments: list[str]) -> None:
    assert loaded_by(f"from ivbench_data.cli import run; run({arguments})") == {"click"}


HELP_OF_EACH_VERB = """
import contextlib, io, json, sys
seen, helps = set(sys.modules), {}
from ivbench_data.cli import VERBS, run
for verb in VERBS:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        run([verb, "--help"])
    helps[verb] = printed.getvalue(), sorted({name.partition(".")[0] for name in set(sys.modules) - seen})
print(json.dumps(helps))
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, tuple[str, list[str]]]:
    """Of each verb, its help and the packages loaded since the interpreter began: one runs them all, one by one."""
    return json.loads(run_python(HELP_OF_EACH_VERB))


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_is_light_and_shows_an_example(helps: dict[str, tuple[str, list[str]]], verb: str) -> None:
    text, loaded = helps[verb]
    assert not HEAVY & set(loaded)
    assert re.search(rf"Examples?:\n\s+ivbench-data {verb}\b", text)


def test_records_and_data_load_nothing_heavy() -> None:
    rooms = [*takewhile(lambda room: room != "statistics", ROOMS), "sources", "frames.grids", "frames.samplers"]
    modules = ", ".join(f"ivbench_data.{room}" for room in rooms if room_exists(room.replace(".", "/")))
    assert not loaded_by(f"import {modules}") & HEAVY


@pytest.mark.full
def test_help_takes_less_than_0_3_seconds_of_cpu() -> None:
    costs = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "ivbench_data", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(costs) < 0.3


# --- the public names -------------------------------------------------------------------------------------------


def test_every_public_name_is_there() -> None:
    for name in ivbench_data.__all__:
        assert getattr(ivbench_data, name) is not None
    assert set(ivbench_data.__all__) <= set(dir(ivbench_data))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_datset'"):
        _ = ivbench_data.load_datset


def test_type_checkers_see_the_names_that_users_get() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    seen = {
        (alias.asname, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ivbench_data.")
        for alias in node.names
    }
    got = {
        (name, f"ivbench_data.{home}")
        for name, home in ivbench_data._HOME_OF.items()  # the table is private; that both tell the same is not
    }
    assert seen == got


def test_version_is_told_once_and_the_same_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == ivbench_data.__version__ == metadata.version("ivbench-data")
    assert f"## [{ivbench_data.__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text()
    assert f"\nversion: {ivbench_data.__version__}\n" in (REPOSITORY / "CITATION.cff").read_text()


def test_pre_commit_runs_the_formatter_that_make_runs() -> None:
    pinned = re.search(r"^ruff==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"rev: v{pinned[1]}\n" in (REPOSITORY / ".pre-commit-config.yaml").read_text()


# --- what it needs ----------------------------------------------------------------------------------------------

USE_THE_RECORDS = """
from ivbench_data.schema import FrameGrid, Question, json_schemas
question = Question(question_id="v_0", video_id="v", question="?", options=("a", "b"), answer="b", answer_index=1,
                    task="Counting", source="mine")
assert Question.model_validate_json(question.model_dump_json()) == question
assert FrameGrid.parse("32x240-m28").size_of(854, 480) == (420, 252)
assert len(dict(json_schemas())) > 10
from ivbench_data.manifests import load_manifest, packaged_folder
assert load_manifest("ivbench").released.questions == 1686
assert (packaged_folder("schemas") / "Question.schema.json").is_file()
print(packaged_folder("manifests"))
"""

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocked())
"""


def requirements_of(distribution: str) -> set[str]:
    """Import names of a distribution and of all that it requires without extras."""
    names = {distribution.replace("-", "_")}
    for requirement in metadata.requires(distribution) or ():
        if "extra ==" not in requirement:
            names |= requirements_of(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    return names


def test_records_need_pydantic_alone() -> None:
    allowed = requirements_of("pydantic")
    assert {"pydantic", "pydantic_core"} <= allowed
    blocked = metadata.packages_distributions().keys() - allowed - {"ivbench_data"}
    assert {"click", "numpy", "rich"} <= blocked
    run_python(f"blocked = {blocked}\n{BLOCK}\n{USE_THE_RECORDS}")
    with pytest.raises(AssertionError, match="click is blocked"):  # the blocking does block
        run_python(f"blocked = {blocked}\n{BLOCK}\nimport click")


@pytest.mark.full
def test_wheel_carries_its_data_and_needs_pydantic_alone(tmp_path: Path) -> None:
    pip = ("-m", "pip", "--disable-pip-version-check", "-q")
    built = subprocess.run(
        [sys.executable, *pip, "wheel", "--no-deps", "-w", tmp_path, REPOSITORY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, *pip, "install", "--no-deps", wheel], check=True)
    subprocess.run([python, *pip, "install", "-c", REPOSITORY / "constraints.txt", "pydantic"], check=True)
    folder = Path(run_python(USE_THE_RECORDS, python=python).strip())
    assert folder.is_relative_to(tmp_path / "venv")
    for name, suffix in (("manifests", ".json"), ("schemas", ".schema.json")):
        carried = {path.name for path in (folder.parent / name).iterdir()}
        assert carried == {path.name for path in (REPOSITORY / name).glob(f"*{suffix}")}
    for place in (Path("exports", "lmms_eval_tasks"), Path("html")):
        carried = {path.name for path in (folder.parent.parent / place).iterdir()}
        assert carried - {"__pycache__"} == {path.name for path in (PACKAGE / place).iterdir()} - {"__pycache__"}
    assert (folder.parent.parent / "py.typed").is_file()


def test_editable_install_finds_the_repository_s_own_data() -> None:
    if not packaged_folder("manifests").is_relative_to(REPOSITORY):
        pytest.skip("ivbench-data is not installed editable from here")
    assert packaged_folder("manifests") == REPOSITORY / "manifests"
    assert packaged_folder("schemas") == REPOSITORY / "schemas"
    assert "ivbench" in manifest_names()


# --- the rooms --------------------------------------------------------------------------------------------------


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def list_nodes(tree: ast.Module) -> list[ast.AST]:
    """All nodes of a module: several tests look through all modules, and walking takes longer than looking."""
    return list(ast.walk(tree))


def room_exists(room: str) -> bool:
    return (PACKAGE / f"{room}.py").is_file() or (PACKAGE / room / "__init__.py").is_file()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def place_of(module: tuple[str, ...]) -> tuple[int, ...]:
    """Where a module stands: its room's number, and the number of the inner room where there is an order inside.

    A room's face (its `__init__`) stands below all that is inside of it.
    """
    inner = ROOMS[module[0]]
    room = [*ROOMS].index(module[0])
    if not inner:
        return (room,)
    return (room, inner.index(module[1]) if len(module) > 1 else len(inner))


def modules_imported(path: Path) -> set[tuple[str, ...]]:
    """Modules that a module imports anywhere in it: at its top, inside its functions, or for types alone."""
    modules = set()
    for node in list_nodes(parse(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")[1:]
            while name.startswith("ivbench_data.") and parts and not room_exists("/".join(parts)):
                parts.pop()
            if name.startswith("ivbench_data.") and parts:
                modules.add(tuple(parts))
    return modules


def iterate_modules() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every module with a place in the order: its file, and its name's parts."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in OUTSIDE_THE_ORDER:
            yield path, parts[:-1] if parts[-1] == "__init__" else parts


def test_every_module_has_its_room() -> None:
    for _, module in iterate_modules():
        assert module[0] in ROOMS, f"give {module[0]} a place in ROOMS"
        if len(module) > 1 and ROOMS[module[0]]:
            assert module[1] in ROOMS[module[0]], f"give {'.'.join(module)} a place in ROOMS"
    for room, inner in ROOMS.items():
        assert room_exists(room), f"ROOMS names {room}, which is not there"
        for name in inner:
            assert room_exists(f"{room}/{name}"), f"ROOMS names {room}/{name}, which is not there"


def test_modules_import_only_what_stands_above_them() -> None:
    wrong = [
        f"{path.relative_to(REPOSITORY)} imports {'.'.join(imported)}, which stands below it"
        for path, module in iterate_modules()
        for imported in sorted(modules_imported(path))
        if place_of(imported) > place_of(module)
    ]
    assert wrong == []


def test_no_two_files_of_one_name_mean_different_things() -> None:
    """A verb's file may be called like the stage that it calls, and nothing else like anything."""
    files: dict[str, list[str]] = {}
    for path, module in iterate_modules():
        if path.name != "__init__.py" and module[0] != "cli":
            files.setdefault(path.name, []).append(path.relative_to(PACKAGE).as_posix())
    assert [sorted(paths) for paths in files.values() if len(paths) > 1] == []


# --- benchmarks by name -------------------------------------------------------------------------------------------

BENCHMARKS = {*SOURCES, *manifest_names()} - {"native"}

NAMES_ALLOWED = {
    ("workspace.py", "ivbench"), ("cli/__init__.py", "demo"), ("cli/demo.py", "demo"), ("doctor.py", "demo"),
}  # fmt: skip
"""Where a benchmark's name stands as a text outside of `sources/`: the default dataset, and the verb `demo`."""

TABLES = {"PARSERS", "PROFILES"}
"""Tables that list benchmarks' own rules, by names that manifests give."""


def iterate_stages() -> Iterator[tuple[str, ast.Module]]:
    """Every module but the sources, each of which is about one benchmark."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if room_of(path) != "sources":
            yield path.relative_to(PACKAGE).as_posix(), parse(path)


def find_texts(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def asks_who_it_is(node: ast.AST) -> bool:
    """Whether it is a dataset's, a manifest's or a question's name or source."""
    return isinstance(node, ast.Attribute) and ast.unparse(node).split(".")[-2:] in (
        ["dataset", "name"], ["loaded", "name"], ["manifest", "name"], ["question", "source"], ["dataset", "source"],
    )  # fmt: skip


def find_choices_by_name(tree: ast.Module) -> Iterator[int]:
    """Lines that compare something with a benchmark's name, or a dataset's name with any text."""
    for node in list_nodes(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            texts = {text for side in sides for text in find_texts(side)}
            if texts & BENCHMARKS or (texts and any(map(asks_who_it_is, sides))):
                yield node.lineno
        elif isinstance(node, ast.match_case) and find_texts(node.pattern) & BENCHMARKS:
            yield node.pattern.lineno


def find_names(tree: ast.Module) -> set[str]:
    """Benchmarks' names that stand in the code as texts of their own, the keys of the tables aside."""
    tables = {
        id(key)
        for node in list_nodes(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in TABLES
        for key in (node.value.keys if isinstance(node.value, ast.Dict) else ())
    }
    return {
        str(node.value)
        for node in list_nodes(tree)
        if isinstance(node, ast.Constant) and node.value in BENCHMARKS and id(node) not in tables
    }


def test_no_stage_asks_which_benchmark_it_is_given() -> None:
    choices = [f"{name}:{line}" for name, tree in iterate_stages() for line in find_choices_by_name(tree)]
    assert choices == []
    named = {(name, benchmark) for name, tree in iterate_stages() for benchmark in find_names(tree)}
    assert named == NAMES_ALLOWED


@pytest.mark.parametrize(
    "code",
    [
        'if dataset == "ivbench": pass',
        'x = 1 if dataset.name == "mine" else 2',
        'y = question.source in ("vlm2bench", "mine")',
        'while "demo" != manifest.name: pass',
        'match name:\n    case "videoespresso": pass',
    ],
)
def test_a_stage_that_asked_would_be_found(code: str) -> None:
    assert list(find_choices_by_name(ast.parse(code)))


def test_only_the_command_line_draws() -> None:
    drawing = re.compile(r"^\s*(?:import|from) (?:click|rich)\b", re.MULTILINE)
    found = {room_of(path) for path in PACKAGE.rglob("*.py") if drawing.search(path.read_text(encoding="utf-8"))}
    assert found == {"cli"}
