"""What a container says of its video's times, beside the packets' timestamps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
from av.format import Flags

from ivbench_data.video.opening import OPTIONS, has_flag, time_base_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


JUMP_SECONDS: Final = 10
"""In a container made for joining, a longer step forward is a jump, unless there is sound in between."""
ERROR_SECONDS: Final = 30 * 3600
"""In every other container, a longer step is one."""

_WITH_DECODING_TIMES = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "mpegts", "mpeg", "flv"})


def _has_no_sound(start: Fraction, end: Fraction) -> bool:
    return False


@dataclass(frozen=True)
class StreamTimes:
    """What a container says of its video's times, beside the packets' timestamps."""

    time_base: Fraction
    """Seconds a timestamp unit."""
    rate: Fraction | None
    """Frames a second, as stated or guessed."""
    may_jump: bool = False
    """Whether the container is made for joining, so that timestamps may jump."""
    keeps_times: bool = True
    """Whether the container has timestamps at all: a bare stream (H.264, HEVC, OBU) has none."""
    keeps_decoding_times: bool = False
    """Whether the container has decoding times beside the times of showing; Matroska and AVI have one of them only."""
    keeps_decoding_times_only: bool = False
    """Whether it has no others (AVI): FFmpeg guesses when a frame is shown from when its successor is decoded."""
    sound_start_seconds: Fraction | None = None
    """When the sound begins, on the container's clock; None without any."""
    has_sound: Callable[[Fraction, Fraction], bool] = field(default=_has_no_sound, compare=False)
    """Whether there is sound between two times, in seconds on the container's clock."""

    @property
    def jump_units(self) -> int:
        """Units of `time_base` that a step forward must exceed to be a jump."""
        return int((JUMP_SECONDS if self.may_jump else ERROR_SECONDS) / self.time_base)


def read_stream_times(path: Path, container: InputContainer, stream: VideoStream) -> StreamTimes:
    """The facts that `make_clock` needs of an open video."""
    starts = [
        sound.start_time * sound.time_base
        for sound in container.streams.audio
        if sound.start_time is not None and sound.time_base is not None
    ]
    return StreamTimes(
        time_base=time_base_of(stream),
        rate=stream.average_rate or stream.guessed_rate,
        may_jump=has_flag(container, Flags.ts_discont),
        keeps_times=not has_flag(container, Flags.no_timestamps),
        keeps_decoding_times=container.format.name in _WITH_DECODING_TIMES,
        keeps_decoding_times_only=container.format.name == "avi",
        sound_start_seconds=min(starts, default=None),
        has_sound=_find_sound(path) if starts else _has_no_sound,
    )


def _find_sound(path: Path) -> Callable[[Fraction, Fraction], bool]:
    """Whether a sound's packet begins between two times; the file is read only when somebody asks."""

    @cache
    def read() -> list[Fraction]:
        times: list[Fraction] = []
        with av.open(f"file:{path.absolute()}", container_options=OPTIONS) as container:
            for packet in container.demux(audio=0):
                if packet.pts is not None:
                    times.append(packet.pts * packet.time_base)
        return sorted(times)

    def has_sound(start: Fraction, end: Fraction) -> bool:
        try:
            times = read()
        except av.error.FFmpegError:
            return False  # what was read of it has no bearing on the pictures
        at = bisect_left(times, start)
        return at < len(times) and times[at] < end

    return has_sound
