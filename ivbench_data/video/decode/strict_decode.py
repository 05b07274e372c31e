"""Decode packets so that no frame is shown which the decoder had to guess, and none is lost without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.video.stream import VideoStream

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.video.bitstream import UnsafeStreamError
from ivbench_data.video.bitstream.nal_units import open_splitter
from ivbench_data.video.opening import codec_name, words_of

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_IDR = 5
"""H.264's type of units of pictures behind which nothing refers to what came before."""


def decode_all(
    path: Path, stream: VideoStream, packets: Iterable[av.Packet[VideoStream]], passed_over: list[str] | None = None
) -> Iterator[VideoFrame]:
    """The frames that the decoder shows of all the packets.

    A stream may begin in the middle, with pictures whose references are not there. The decoder stumbles at them, and at
    what refers to them without need. With `passed_over`, its words for each go there instead of being an error, up to
    the second keyframe; that nothing came of it is for the caller to check.

    Raises:
        UnreadableVideoError: it cannot decode one.
    """
    start = _Beginning(stream)
    for packet in chain(packets, (None,)):
        if packet is not None:
            start.see(packet)
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.FFmpegError as error:
            if passed_over is None or packet is None or not start.may_stumble(packet):
                raise UnreadableVideoError(f"{path.name}: it cannot be decoded: {words_of(error)}") from error
            passed_over.append(words_of(error))


class _Beginning:
    """Whether a stream, as far as its packets were seen, begins in the middle."""

    def __init__(self, stream: VideoStream) -> None:
        extradata = stream.codec_context.extradata or b""
        self._split = open_splitter(extradata, length_size_at=4) if codec_name(stream) == "h264" else None
        self._keyframes = 0
        self._is_middle = False
        self._first_pts: int | None = None

    def see(self, packet: av.Packet[VideoStream]) -> None:
        """Look at the next packet."""
        self._keyframes += packet.is_keyframe
        if packet.is_keyframe and self._keyframes == 1:
            self._first_pts = packet.pts
            self._is_middle |= self._opens_group(packet)
        leads = packet.pts is not None and self._first_pts is not None and packet.pts < self._first_pts
        self._is_middle |= packet.is_discard or not self._keyframes or (leads and self._keyframes == 1)

    def may_stumble(self, packet: av.Packet[VideoStream]) -> bool:
        """Whether the decoder may lack something that the last packet seen refers to."""
        return self._is_middle and self._keyframes <= 1 and (packet.is_discard or not packet.is_keyframe)

    def _opens_group(self, packet: av.Packet[VideoStream]) -> bool:
        """Whether it is a keyframe of H.264 that what follows may look behind: not an IDR picture."""
        if self._split is None:
            return False
        data = memoryview(packet)
        try:
            return not any(data[at] & 31 == _IDR for at, _ in self._split(data))
        except UnsafeStreamError:
            return False
