"""The private names of yt-dlp that guarded connections are made of: whatever release is installed here has them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ivbench_data"

WHAT_TO_LOOK_AT = (
    f"yt-dlp {metadata.version('yt-dlp')} is not what fetch/ytdlp_networking.py is written for. Compare its "
    "networking/_urllib.py and _helper.py with the release before; adapt the module, or lower the bound on yt-dlp in "
    "pyproject.toml"
)

PRIVATE = {
    ("yt_dlp.networking._helper", "create_connection"): {"address", "_create_socket_func"},
    ("yt_dlp.networking._helper", "_socket_connect"): {"ip_addr", "timeout", "source_address"},
    ("yt_dlp.networking._urllib", "UrllibRH._create_instance"): {"proxies", "cookiejar", "legacy_ssl_support"},
    ("yt_dlp.networking._urllib", "UrllibRH._send"): {"request"},
    ("yt_dlp.networking._urllib", "UrllibRH._make_sslcontext"): {"legacy_ssl_support"},
    ("yt_dlp.networking._urllib", "HTTPHandler.do_open"): {"http_class", "req"},
    ("yt_dlp.networking._urllib", "HTTPHandler.http_request"): {"req"},
    ("yt_dlp.networking._urllib", "RedirectHandler.http_error_302"): {"req", "fp", "code", "msg", "headers"},
    ("yt_dlp.networking._urllib", "ProxyHandler"): {"proxies"},
    ("yt_dlp", "YoutubeDL.build_request_director"): {"handlers"},
    ("yt_dlp", "YoutubeDL.process_subtitles"): {"video_id", "normal_subtitles", "automatic_captions"},
}
"""What the module calls or overrides, and the parameters that it counts on."""


@pytest.mark.parametrize(("module", "name"), PRIVATE)
def test_the_installed_release_has_what_is_used_of_it(module: str, name: str) -> None:
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)  # type: ignore[assignment]
    assert callable(found), f"{module} has no {name}. {WHAT_TO_LOOK_AT}"
    signature = inspect.signature(found)
    takes_all = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    missing = set() if takes_all else PRIVATE[module, name] - signature.parameters.keys()
    assert not missing, f"{module}.{name}{signature} takes no {sorted(missing)}. {WHAT_TO_LOOK_AT}"


def test_the_director_is_looked_up_where_ours_is_put() -> None:
    from yt_dlp import YoutubeDL

    assert "_request_director" in vars(YoutubeDL), WHAT_TO_LOOK_AT


def test_one_module_alone_uses_private_names() -> None:
    users = [path.name for path in PACKAGE.rglob("*.py") if "yt_dlp.networking" in path.read_text(encoding="utf-8")]
    assert users == ["ytdlp_networking.py"]


def test_a_release_without_them_is_an_environment_problem() -> None:
    code = (
        "import sys\n"
        "sys.modules['yt_dlp.networking._urllib'] = None\n"
        "from ivbench_data.errors import EnvironmentProblemError\n"
        "try:\n"
        "    import ivbench_data.fetch.ytdlp_networking\n"
        "except EnvironmentProblemError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install" in done.stdout
    assert "yt_dlp.networking._urllib" in done.stdout
