"""Names for images that a release knows by their paths: what an image is called in our flat `images/`."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from ivbench_data.schema import MAX_NAME_BYTES, check_safe_name

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\ud800-\udfff]')


def check_release_path(path: str) -> str:
    """The path as it stands in the release, in its plain form: `./a//b.jpg` is `a/b.jpg`.

    Raises:
        ValueError: it is empty or absolute, or leaves its folder.
    """
    plain = path.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if not parts or plain.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", plain):
        raise ValueError(f"{path[:100]!r} is no path inside of the release")
    return "/".join(parts)


def name_images(paths: Iterable[str]) -> dict[str, str]:
    """An image id for each path: its parts joined by `-`, with a digest of the path where two would be called alike.

    Alike is what is the same on a system that takes no notice of case. The ids depend on the set of paths alone.
    """
    plain = {path: _join(path) for path in dict.fromkeys(paths)}
    # not text.folds: the ids are stored, and file systems fold nothing but case
    uses = Counter(name.casefold() for name in plain.values())
    return {path: name if uses[name.casefold()] == 1 else _add_digest(path, name) for path, name in plain.items()}


def _join(path: str) -> str:
    name = _UNSAFE.sub("_", path.replace("/", "-")).strip(" .") or "_"
    if len(name.encode()) > MAX_NAME_BYTES:
        return _add_digest(path, name)
    try:
        return check_safe_name(name)
    except ValueError:  # a device's name on Windows
        return _add_digest(path, name)


def _add_digest(path: str, name: str) -> str:
    digest, suffix = hashlib.sha256(path.encode()).hexdigest()[:12], PurePosixPath(name).suffix[:12]
    stem = name[: len(name) - len(suffix)] if suffix else name
    room = MAX_NAME_BYTES - len(f"-{digest}{suffix}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}-{digest}{suffix}"
