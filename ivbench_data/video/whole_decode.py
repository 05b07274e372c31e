"""Decode a whole file with an ffmpeg that stops at the first error: the deepest check of a video.

The ffmpeg is the one in the package `imageio-ffmpeg` (or named by `IMAGEIO_FFMPEG_EXE`); the package `ffmpeg-python`
builds its command. The exit code alone is not enough: many errors are concealed and end in 0, so every message at
level `error` counts too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ivbench_data.errors import MissingDependencyError, UnreadableVideoError
from ivbench_data.video.opening import FORMATS

DEFAULT_TIMEOUT_SECONDS: Final = 3600.0

_MESSAGE_CHARACTERS = 200


def find_ffmpeg() -> Path | None:
    """The ffmpeg of the package `imageio-ffmpeg`, or None when the package or its binary is not there."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def build_command(ffmpeg: Path, path: Path, timeout_seconds: float) -> list[str]:
    """The command that decodes every video and audio stream of the file and keeps nothing."""
    try:
        import ffmpeg as ffmpeg_python
    except ImportError:
        raise MissingDependencyError("ffmpeg-python", "fetch") from None
    source = ffmpeg_python.input(
        f"file:{path.absolute()}",
        protocol_whitelist="file",
        format_whitelist=FORMATS,
        err_detect="explode",
    )
    # 0:V leaves covers aside; "vfr" keeps the null muxer from taking a variable frame rate for an error of its own
    streams = [source["V"], source["a?"]]
    # of processor time: ends an ffmpeg whose parent was killed and cannot end it
    cpu_seconds = str(round(timeout_seconds * (os.cpu_count() or 1)) + 1)
    decoded = ffmpeg_python.output(*streams, "-", format="null", fps_mode="vfr").global_args(
        "-hide_banner", "-nostdin", "-xerror", "-loglevel", "error", "-timelimit", cpu_seconds
    )
    command: Sequence[str] = decoded.compile(cmd=str(ffmpeg))
    return list(command)


def decode_whole_file(path: Path, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
    """Return when ffmpeg decodes every stream of the file without an error.

    Raises:
        UnreadableVideoError: it does not, or not within that time.
        MissingDependencyError: there is no ffmpeg, or no ffmpeg-python.
    """
    ffmpeg = find_ffmpeg()
    if ffmpeg is None:
        raise MissingDependencyError("imageio-ffmpeg", "fetch")
    command = build_command(ffmpeg, path, timeout_seconds)
    try:
        # not ffmpeg_python.run, which has no timeout
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnreadableVideoError(f"{path.name}: not decoded within {timeout_seconds:g} s") from None
    message = done.stderr.decode(errors="replace").strip()
    if done.returncode or message:
        first = message.splitlines()[0][:_MESSAGE_CHARACTERS] if message else f"exit code {done.returncode}"
        raise UnreadableVideoError(f"{path.name}: damaged: a whole decode says: {first}")


def describe_ffmpeg(ffmpeg: Path) -> str | None:
    """Version line of an ffmpeg, such as `ffmpeg version 7.1`; None when it does not run."""
    try:
        # not by ffmpeg-python, which only builds commands with an input and an output
        done = subprocess.run(
            [str(ffmpeg), "-version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return " ".join(done.stdout.decode(errors="replace").split()[:3]) or None
