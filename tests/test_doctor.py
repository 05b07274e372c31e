"""What the machine lacks is said, with a way out; only what everything needs fails; no secret is told."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import Outcome

from ivbench_data import cli, doctor
from ivbench_data.cli import VERBS
from ivbench_data.dataset import Dataset
from ivbench_data.doctor import CHECKS, EXTRAS, EXTRAS_OF, CheckResult, DoctorContext, examine_environment
from ivbench_data.errors import MissingDependencyError, write_install_command
from ivbench_data.schema import FrameGrid, Video
from ivbench_data.workspace import Workspace

CANARY = "hf_canaryCANARYcanaryCANARYcanary0123"


@pytest.fixture
def context(tmp_path: Path) -> DoctorContext:
    return DoctorContext(Workspace(tmp_path, "ivbench"), (FrameGrid(nframes=32, res=240),))


def pretend_versions(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    real = doctor._find_version
    named = {name.replace("_", "-"): found for name, found in versions.items()}
    monkeypatch.setattr(doctor, "_find_version", lambda package: named[package] if package in named else real(package))


def pretend_commands(monkeypatch: pytest.MonkeyPatch, **answers: str | None) -> None:
    named = {name.replace("_", "-"): answer for name, answer in answers.items()}
    monkeypatch.setattr(doctor, "_run", lambda command: named.get(Path(command[0]).name))


def test_every_check_finds_something_here(tmp_path: Path) -> None:
    found = list(examine_environment("ivbench", tmp_path, [FrameGrid.parse("1x16")]))
    assert len(found) == len(CHECKS)
    assert [each.name for each in found][:2] == ["Python", "packages"]
    for each in found:
        assert each.status != "fault"
        assert (each.advice is None) == (each.status == "ok")
    assert not list(tmp_path.iterdir())  # it looks, and touches nothing


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_token_is_seen_and_never_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, CANARY)
    for arguments in ([], ["--json"]):
        assert cli.run(["--debug", "doctor", "--root", str(tmp_path), *arguments]) == 0
    told = "".join(capfd.readouterr())
    assert name in told
    assert CANARY not in told


def test_a_token_file_is_seen(context: DoctorContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    assert doctor.check_hub_token(context).status == "advice"
    (tmp_path / "token").write_text(CANARY)
    found = doctor.check_hub_token(context)
    assert found.status == "ok"
    assert CANARY not in found.model_dump_json()


@pytest.mark.parametrize(
    ("version", "scripts", "status", "words"),
    [
        (None, None, "advice", "[fetch]"),
        ("2026.10.1", "0.8.0", "ok", ""),
        ("2026.3.1", "0.8.0", "advice", "--upgrade"),
        ("2026.10.1.232904.dev0", "0.8.0", "ok", ""),
        ("2026.10.1", None, "advice", "yt-dlp[default]"),
        ("custom", "0.8.0", "ok", ""),
    ],
)
def test_yt_dlp_and_its_age(
    context: DoctorContext,
    monkeypatch: pytest.MonkeyPatch,
    version: str | None,
    scripts: str | None,
    status: str,
    words: str,
) -> None:
    pretend_versions(monkeypatch, yt_dlp=version, yt_dlp_ejs=scripts)
    found = doctor.check_yt_dlp(context, today=date(2026, 11, 1))
    assert found.status == status
    assert words in (found.advice or "")
    assert found.facts.get("age_days") == {"2026.3.1": 245, None: None, "custom": None}.get(version, 31)


def test_deno_too_old_or_absent(context: DoctorContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_find_deno", lambda: Path("deno"))
    pretend_commands(monkeypatch, deno="deno 2.9.1+abc (stable, release, x86_64)\nv8 13\n")
    assert doctor.check_javascript(context).status == "ok"
    pretend_commands(monkeypatch, deno="deno 1.46.3 (stable)\n")
    assert "--upgrade deno" in (doctor.check_javascript(context).advice or "")
    pretend_commands(monkeypatch, deno=None)
    assert doctor.check_javascript(context).status == "advice"


def test_ffmpeg_absent(context: DoctorContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_ffmpeg", lambda: None)
    found = doctor.check_ffmpeg(context)
    assert found.status == "advice"
    assert "verify --deep" in found.message


def test_a_missing_package_is_a_fault(
    context: DoctorContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_versions(monkeypatch, imagehash=None)
    found = doctor.check_packages(context)
    assert found.status == "fault"
    assert "imagehash" in found.message
    assert cli.run(["doctor", "--json", "--root", str(tmp_path)]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["faults"] == 1
    assert [CheckResult.model_validate(each) for each in told["diagnoses"]][1] == found


def test_the_disk_must_hold_the_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Dataset("test", videos=tuple(Video(video_id=f"v{number}") for number in range(10))).save(tmp_path)
    grids = (FrameGrid.parse("32x240"), FrameGrid.parse("8x720"))
    context = DoctorContext(Workspace(tmp_path, "test"), grids)
    needed = 10 * 3 * (32 * 426 * 240 + 8 * 1280 * 720)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
    assert doctor.check_disk(context).status == "ok"
    assert doctor.check_disk(context).facts["needed_bytes"] == needed
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    assert doctor.check_disk(context).status == "fault"
    there = tmp_path / "test/cache/8x720/v1.safetensors"
    there.parent.mkdir(parents=True)
    there.touch()
    assert doctor.check_disk(context).status == "ok"


def test_before_the_import_the_release_is_what_counts(context: DoctorContext) -> None:
    assert doctor.check_disk(context).facts["videos"] == 747


def test_a_root_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    found = doctor.check_disk(DoctorContext(Workspace(tmp_path / "not/yet", "unheard-of"), ()))
    assert (found.status, found.facts["path"]) == ("ok", str(tmp_path))


def test_gpus_with_and_without_torch(context: DoctorContext, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_versions(monkeypatch, torch=None)
    pretend_commands(monkeypatch, nvidia_smi="NVIDIA X100, 81920 MiB\n")
    found = doctor.check_gpu(context)
    assert "NVIDIA X100" in found.message
    assert "[eval]" in (found.advice or "")
    pretend_versions(monkeypatch, torch="2.13.0")
    monkeypatch.setattr(doctor, "_ask_torch", lambda: None)
    assert "CUDA" in (doctor.check_gpu(context).advice or "")
    monkeypatch.setattr(doctor, "_ask_torch", lambda: "NVIDIA X100")
    assert doctor.check_gpu(context).status == "ok"
    pretend_commands(monkeypatch, nvidia_smi=None)
    monkeypatch.setattr(doctor, "_ask_torch", lambda: None)
    assert "runs on the CPU" in doctor.check_gpu(context).message


def test_a_grid_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    assert cli.run(["doctor", "--grid", "huge", "--root", str(tmp_path)]) == 2


def test_commands_that_lack_packages_are_named(context: DoctorContext, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_versions(monkeypatch, **{name.replace("-", "_"): "1" for names in EXTRAS.values() for name in names})
    assert doctor.check_commands(context).status == "ok"
    pretend_versions(monkeypatch, matplotlib=None, scikit_learn=None, **dict.fromkeys(("torch", "accelerate"), "1"))
    found = doctor.check_commands(context)
    assert found.status == "advice"
    assert found.facts["score"] == ["matplotlib"]
    assert found.facts["review"] == ["matplotlib", "scikit-learn"]
    assert found.facts["publish"] == []
    assert write_install_command("score,validate,eval") in (found.advice or "")


def test_each_command_and_what_it_lacks_are_shown(run_cli: Callable[..., Outcome], tmp_path: Path) -> None:
    done = run_cli("doctor", "--root", tmp_path)
    table = done.out.partition("Commands")[2]
    for verb in VERBS:
        assert re.search(rf"^\s+{verb}\s+\w", table, re.MULTILINE)
    assert re.search(r"^\s+info\s+nothing", table, re.MULTILINE)


def test_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]

    def packages_of(extra: str) -> set[str]:
        names: set[str] = set()
        for requirement in declared[extra]:
            name, _, rest = requirement.partition("[")
            if name == "ivbench-data":
                names = names.union(*map(packages_of, rest.rstrip("]").split(",")))
            else:
                names.add(re.split(r"[^\w-]", requirement, maxsplit=1)[0])
        return names

    assert {extra: set(names) for extra, names in EXTRAS.items()} == {extra: packages_of(extra) for extra in EXTRAS}
    assert packages_of("all") == set().union(*EXTRAS.values())
    assert set(declared) == {*EXTRAS, "all", "dev", "docs"}
    assert EXTRAS_OF.keys() <= VERBS.keys()
    assert {extra for extras in EXTRAS_OF.values() for extra in extras} == EXTRAS.keys()


def test_the_install_command_fits_where_the_package_runs_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checkout = Path(__file__).parent.parent
    assert write_install_command("score") == f"pip install -e '{checkout}[score]'"
    monkeypatch.setattr("ivbench_data.errors.__file__", str(tmp_path / "site-packages/ivbench_data/errors.py"))
    assert write_install_command("fetch,eval") == "pip install 'ivbench-data[fetch,eval]'"
    assert write_install_command() == "pip install 'ivbench-data'"
    assert str(MissingDependencyError("scipy", "score")).endswith("with: pip install 'ivbench-data[score]'")


def test_licences_name_what_is_under_the_gpl(run_cli: Callable[..., Outcome]) -> None:
    rows = {row["package"]: row for row in json.loads(run_cli("doctor", "--licences", "--json").out)["licences"]}
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    core = {re.split(r"[^\w-]", text, maxsplit=1)[0].replace("_", "-") for text in project["dependencies"]}
    assert core <= rows.keys()
    assert {"mutagen", "httpcore2"} <= rows.keys()  # what yt-dlp[default] and httpx2 need
    assert not {"pytest", "ruff", "mkdocs"} & rows.keys()
    assert all(row["licence"] != "not stated" for row in rows.values())
    assert not [name for name in core if "GPL" in rows[name]["licence"]]
    shown = run_cli("doctor", "--licences")
    assert "x264" in shown.out
    assert re.search(r"with parts that are: .*av.*mutagen", shown.err)
