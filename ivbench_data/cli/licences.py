"""What `ivbench-data doctor --licences` shows: the licence of every package that is here because of us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

from ivbench_data.doctor import EXTRAS

BUNDLED = {
    "av": "FFmpeg with x264 and x265, which are under the GPL-2.0-or-later",
    "imageio-ffmpeg": "an FFmpeg program built with --enable-gpl and --enable-version3: GPL-3.0-or-later",
    "deno": "the program of that name, with V8 (BSD-3-Clause)",
}
"""What a package's files hold besides its own code, where its licence does not say so."""


def list_licences() -> Iterator[dict[str, str]]:
    """A row for each installed package that ivbench-data needs, itself or through another, by name.

    Extras that are not installed are left out; `licence` is what the package says of itself.
    """
    waiting, seen = [("ivbench-data", frozenset(EXTRAS))], set[str]()
    while waiting:
        name, extras = waiting.pop()
        try:
            requirements = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:
            continue
        seen.add(name)
        for text in requirements:
            only_for = re.search(r"extra == ['\"]([^'\"]+)['\"]", text)
            needed, of_needed = _read_requirement(text)
            if needed not in seen and (only_for is None or only_for[1] in extras):
                waiting.append((needed, of_needed))
    for name in sorted(seen - {"ivbench-data"}):
        try:
            found = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        row = {"package": name, "version": found["Version"], "licence": _read_licence(found)}
        yield {**row, "bundled": BUNDLED.get(name, "")}


def _read_requirement(text: str) -> tuple[str, frozenset[str]]:
    """The package's normal name and the extras asked of it: `yt-dlp` and `default` of `yt-dlp[default]>=2026`."""
    found = re.match(r"([\w.-]+)\s*(?:\[([^\]]*)\])?", text)
    assert found is not None, text
    return re.sub(r"[-_.]+", "-", found[1]).lower(), frozenset(re.split(r"\s*,\s*", found[2] or ""))


def _read_licence(found: metadata.PackageMetadata) -> str:
    """The SPDX expression; else the first line of the licence's name; else the classifiers."""
    if "License-Expression" in found:
        return found["License-Expression"]
    classifiers = [text.rpartition(" :: ")[2] for text in found.get_all("Classifier") or () if "License ::" in text]
    stated = found["License"].strip() if "License" in found else ""
    if classifiers and (not stated or "\n" in stated or stated == "UNKNOWN"):
        return ", ".join(classifiers)
    return stated.partition("\n")[0] or "not stated"
