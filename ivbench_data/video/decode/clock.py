"""When a video's frames are shown: its packets' timestamps become seconds here, for everybody.

Second 0 is the first frame shown, as in nearly every file. Where the sound begins `LATE_SECONDS` or more before the
picture, it is the player's: the beginning of the sound (`zero`), and the first frame comes later.

Timestamps are mended from their neighbours, and every repair is counted by name:

- `duplicate`: two frames have one timestamp. One of them, where there is room, comes a frame duration from the other.
- `missing`: a frame has none. It comes a frame duration after the one before.
- `misplaced`: one is before its predecessor's, or after its successor's. It is taken for missing.
- `jump`: the clock is set back; or ahead, by more than `JUMP_SECONDS` and without sound in between, in a container made
  for joining (MPEG-TS, MPEG-PS, Ogg). It goes on one frame duration later.

Timestamps in decoding order (AVI has no others) are put into the order of the frames; that is no repair.

The rule for jumps is that of FFmpeg's tools (`dts_delta_threshold`, 10 s, and `dts_error_threshold`, 30 h, for other
containers); there it looks at one stream alone, here a pause that has sound stays a pause.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from ivbench_data.video.decode.stream_times import StreamTimes

if TYPE_CHECKING:
    from numpy.typing import NDArray

LATE_SECONDS: Final = Fraction(1, 2)
"""A picture that begins this much after the sound is late; less is what encoders' and muxers' delays amount to."""
MAX_DISORDER: Final = 0.1
"""Share of steps backward above which timestamps are in decoding order, not mistaken here and there."""
ASSUMED_RATE: Final = 25
"""Frames a second where nothing says; FFmpeg assumes the same."""

Zero = Literal["first frame", "player"]
Repair = Literal["duplicate", "missing", "misplaced", "jump"]


@dataclass(frozen=True)
class Clock:
    """When each frame of a video is shown. Part of a scan; whatever depends on times takes them from here.

    A clock that is not plain belongs into a frame file's metadata (`describe`), and into the digest of what was done
    to the source (`display_digest`): `to_json` is the same text for the same clock, on every machine.
    """

    pts: NDArray[np.int64]
    """Timestamps of all frames shown, mended, strictly ascending in presentation order, in units of `time_base`."""
    time_base: Fraction
    """Seconds a unit."""
    zero_pts: int
    """Timestamp of second 0."""
    end_pts: int
    """Timestamp of the last frame's end."""
    zero: Zero = "first frame"
    """What second 0 is: the first frame shown, or the beginning of the sound, as in a player."""
    repairs: Mapping[Repair, int] = field(default_factory=dict)
    """How many timestamps were mended, by the name of the repair; empty when none was."""
    invented: bool = False
    """Whether the file gives no times, or so few that most are guessed: seconds then mean little."""

    @property
    def is_plain(self) -> bool:
        """Whether times are as the container says them, counted from the first frame."""
        return self.zero == "first frame" and not self.repairs and not self.invented

    @property
    def is_timed(self) -> bool:
        """Whether the container gives timestamps; if not, `pts` follow from the frame rate."""
        return self.repairs.get("missing", 0) < len(self.pts)

    @property
    def pts_seconds(self) -> NDArray[np.float64]:
        """When each frame is shown, in seconds after second 0; float64 `[frames]`."""
        elapsed = self.pts - self.zero_pts
        return np.asarray(elapsed * self.time_base.numerator / self.time_base.denominator, dtype=np.float64)

    @property
    def offset_seconds(self) -> float:
        """When the first frame is shown, in seconds after second 0."""
        return float((int(self.pts[0]) - self.zero_pts) * self.time_base) if len(self.pts) else 0.0

    @property
    def duration_seconds(self) -> float:
        """From second 0 to the last frame's end."""
        return float((self.end_pts - self.zero_pts) * self.time_base)

    def to_json(self) -> str:
        """The clock's zero, repairs and whether it is invented, as one line."""
        facts = {
            "zero": self.zero,
            "offset_seconds": self.offset_seconds,
            "repairs": dict(self.repairs),
            "invented": self.invented,
        }
        return json.dumps(facts, sort_keys=True)

    def describe(self) -> list[str]:
        """What is not plain about it, a sentence each; each begins with a name and a colon."""
        sentences: list[str] = []
        if self.invented:
            sentences.append("invented clock: the file does not say when its frames are shown, and times are guessed")
        if self.repairs and self.is_timed:
            counts = ", ".join(f"{count:,} {name}" for name, count in self.repairs.items())
            sentences.append(f"mended clock: {counts}, of {len(self.pts):,} timestamps")
        if self.zero == "player":
            sentences.append(
                f"late picture: the first frame is shown {self.offset_seconds:.3f} s after the sound begins, and "
                "seconds are counted from there, as players do"
            )
        return sentences


def make_clock(shown: Sequence[int | None], times: StreamTimes, last_duration: int = 0) -> Clock:
    """The clock of a video.

    Args:
        shown: timestamps of all frames, in the order in which they are shown, in units of `times.time_base`; None
            where the container gives none. One at least.
        times: what else the container says.
        last_duration: units that the last frame lasts, as stated; 0 when nothing says.
    """
    known = [value for value in shown if value is not None]
    if len(known) == 0:
        return _count_frames(len(shown), times)
    repairs: dict[Repair, int] = {}
    values = list(shown)
    if len(known) < len(shown) or any(a >= b for a, b in pairwise(known)) or _may_have_jumped(known, times):
        values = _mend(values, times, repairs)
    scale, pts = _fill(values, _usual_step(values, times))
    lasting = last_duration * scale or (pts[-1] - pts[-2] if len(pts) > 1 else 0) or _nominal_step(times) * scale
    guessed = sum(count for name, count in repairs.items() if name != "jump")
    time_base = times.time_base / scale
    zero_pts, zero = pts[0], "first frame"
    if times.sound_start_seconds is not None:
        sound_start = round(times.sound_start_seconds / time_base)
        if (pts[0] - sound_start) * time_base >= LATE_SECONDS:
            zero_pts, zero = sound_start, "player"
    return Clock(
        pts=np.array(pts, dtype=np.int64),
        time_base=time_base,
        zero_pts=zero_pts,
        end_pts=pts[-1] + lasting,
        zero="player" if zero == "player" else "first frame",
        repairs={name: repairs[name] for name in get_args(Repair) if repairs.get(name)},
        invented=not times.keeps_times or guessed > len(shown) / 2,
    )


def order_packets(pts: Sequence[int | None], dts: Sequence[int | None], times: StreamTimes) -> list[int]:
    """Numbers of packets, given in decoding order, in the order in which their frames are shown.

    Timestamps order them, between one jump of the decoding times and the next.
    """
    part, last = 0, None
    parts: list[int] = []
    far = times.jump_units
    for stamp in dts:
        if stamp is not None:
            part += last is not None and (stamp < last or stamp - last > far)
            last = stamp
        parts.append(part)
    known = [value for value in pts if value is not None]
    if len(known) < len(pts):
        return sorted(range(len(pts)), key=lambda at: (parts[at], at))
    return sorted(range(len(pts)), key=lambda at: (parts[at], pts[at], at))


# --- mending ------------------------------------------------------------------------------------------------------


def _count_frames(count: int, times: StreamTimes) -> Clock:
    """A clock by the frame rate alone."""
    rate = Fraction(times.rate or ASSUMED_RATE)
    return Clock(np.arange(count, dtype=np.int64), 1 / rate, 0, count, repairs={"missing": count}, invented=True)


def _may_have_jumped(known: Sequence[int], times: StreamTimes) -> bool:
    far = times.jump_units
    return known[-1] - known[0] > far and any(b - a > far for a, b in pairwise(known))


def _nominal_step(times: StreamTimes) -> int:
    """Units between two frames at the stated rate; 0 when there is none."""
    return int(1 / (times.rate * times.time_base)) if times.rate else 0


def _usual_step(values: Sequence[int | None], times: StreamTimes) -> int:
    """Units between two frames: the median of those that ascend, else by the rate."""
    known = [value for value in values if value is not None]
    steps = sorted(b - a for a, b in pairwise(known) if b > a)
    return steps[(len(steps) - 1) // 2] if steps else max(1, round(1 / (times.rate or ASSUMED_RATE) / times.time_base))


def _mend(shown: Sequence[int | None], times: StreamTimes, repairs: dict[Repair, int]) -> list[int | None]:
    """Timestamps that ascend; None for those that are missing, or cannot be."""
    values = list(shown)
    repairs["missing"] = values.count(None)
    known = [at for at, value in enumerate(values) if value is not None]
    stamps = [value for value in values if value is not None]
    backward = sum(a > b for a, b in pairwise(stamps))
    if backward > MAX_DISORDER * len(stamps) and backward > 1:
        for at, value in zip(known, sorted(stamps), strict=True):
            values[at] = value
    step = _usual_step(values, times)
    _drop_what_cannot_be(values, known, step, times, repairs)
    return values


def _drop_what_cannot_be(
    values: list[int | None], known: list[int], step: int, times: StreamTimes, repairs: dict[Repair, int]
) -> None:
    """Drop timestamps that do not fit between their neighbours, and let the clock go on after a jump; in place."""
    far = times.jump_units
    shift = 0
    kept: list[int] = []
    stamps = [values[at] or 0 for at in known]
    for number, at in enumerate(known):
        stamp = stamps[number] + shift
        following = stamps[number + 1] + shift if number + 1 < len(known) else None
        before = values[kept[-1]] if kept else None
        two_before = values[kept[-2]] if len(kept) > 1 else None
        if before is None or (before < stamp and not _is_jump(before, stamp, shift, far, times)):
            kept.append(at)
            values[at] = stamp
            continue
        if before == stamp:
            repairs["duplicate"] = repairs.get("duplicate", 0) + 1
            # of the two, the one at whose side there is room for another frame has lost its own timestamp
            room_before = before - two_before if two_before is not None else 0
            room_after = following - stamp if following is not None else 2 * step
            if 2 * room_after < 3 * step and room_before > max(1, room_after) and at - kept[-1] == 1:
                values[kept[-1]] = before - min(step, room_before // 2)
                values[at] = stamp
                kept.append(at)
            else:
                values[at] = None
            continue
        if before < stamp:
            if following is not None and before < following < stamp:
                repairs["misplaced"] = repairs.get("misplaced", 0) + 1  # one alone is far ahead
                values[at] = None
                continue
        elif two_before is not None and two_before < stamp and not _is_jump(two_before, stamp, shift, far, times):
            # without the one before, all is well: that one was ahead
            repairs["misplaced"] = repairs.get("misplaced", 0) + 1
            values[kept.pop()] = None
            values[at] = stamp
            kept.append(at)
            continue
        elif following is None or before < following:
            repairs["misplaced"] = repairs.get("misplaced", 0) + 1
            values[at] = None
            continue
        repairs["jump"] = repairs.get("jump", 0) + 1
        passed = at - kept[-1]  # frames without timestamps may lie between
        shift += before + passed * step - stamp
        values[at] = before + passed * step
        kept.append(at)


def _is_jump(before: int, stamp: int, shift: int, far: int, times: StreamTimes) -> bool:
    """Whether a step forward is one of the clock, not of the picture."""
    if stamp - before <= far:
        return False
    if not times.may_jump:
        return True
    start, end = ((value - shift) * times.time_base for value in (before, stamp))
    return not times.has_sound(start + 1, end - 1)


def _fill(values: Sequence[int | None], step: int) -> tuple[int, list[int]]:
    """Timestamps for those without, in units that leave room for them; and how many of these make an old one."""
    runs = _find_runs(values)
    scale = 1
    for start, end in runs:
        if start > 0 and end < len(values):
            room = (values[end] or 0) - (values[start - 1] or 0)
            scale = max(scale, -(-(end - start + 1) // room))
    filled = [None if value is None else value * scale for value in values]
    step *= scale
    for start, end in runs:
        if start == 0:
            first = filled[end] or 0
            filled[:end] = [first - (end - at) * step for at in range(end)]
            continue
        before = filled[start - 1] or 0
        count = end - start
        own = step
        if end < len(filled):
            own = min(step, ((filled[end] or 0) - before) // (count + 1))
        filled[start:end] = [before + (number + 1) * own for number in range(count)]
    return scale, [value for value in filled if value is not None]


def _find_runs(values: Sequence[int | None]) -> list[tuple[int, int]]:
    """Where timestamps are missing: the first place, and the one after the last."""
    runs: list[tuple[int, int]] = []
    start: int | None = None
    for at, value in enumerate([*values, 0]):
        if value is None and start is None:
            start = at
        elif value is not None and start is not None:
            runs.append((start, at))
            start = None
    return runs
