"""What H.264 and HEVC share: units in packets, parameter sets in effect, and the order of pictures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

from ivbench_data.video.bitstream.packet_traits import UnsafeStreamError

UnitSplitter = Callable[[memoryview], Iterator[tuple[int, int]]]
"""Where each unit of a packet begins and ends."""


def open_splitter(extradata: bytes, length_size_at: int) -> UnitSplitter:
    """How to find the units of a packet: by length prefixes (avcC, hvcC), or by start codes (Annex B)."""
    if len(extradata) > length_size_at and extradata[0] == 1:
        length_size = (extradata[length_size_at] & 3) + 1
        return lambda data: _split_by_length(data, length_size)
    return split_by_start_code


def _split_by_length(data: memoryview, length_size: int) -> Iterator[tuple[int, int]]:
    at, total = 0, len(data)
    while at < total:
        start = at + length_size
        at = start + int.from_bytes(data[at:start], "big")
        if at > total or at == start:
            raise UnsafeStreamError("a packet's unit lengths do not add up")
        yield start, at


def split_by_start_code(data: memoryview) -> Iterator[tuple[int, int]]:
    """Where the units between start codes begin and end."""
    content = bytes(data)
    start = content.find(b"\0\0\1")
    while start >= 0:
        following = content.find(b"\0\0\1", start + 3)
        end = len(content) if following < 0 else following
        if end > start + 3:
            yield start + 3, end
        start = following


def unescape(unit: bytes) -> bytes:
    """The unit without the bytes that keep start codes from appearing in it (H.264 7.4.1.1)."""
    return unit.replace(b"\0\0\3", b"\0\0") if b"\0\0\3" in unit else unit


class ParameterSets:
    """Which parameter sets are in effect, and whether a decoder that starts at a packet would have the same ones.

    A decoder has those of the extradata from its opening on, and of the packets only what it was fed. So a start
    carries all sets itself, unless no packet ever changed any.
    """

    def __init__(self) -> None:
        self._in_effect: dict[tuple[int, int], bytes] = {}
        self._are_changed = False
        self._own: set[tuple[int, int]] = set()

    def put_initial(self, kind: int, number: int, unit: bytes) -> None:
        """A set of the extradata."""
        self._in_effect[kind, number] = unit

    def begin_packet(self) -> None:
        """What follows is the next packet's."""
        self._own = set()

    def put(self, kind: int, number: int, unit: bytes) -> bool:
        """A set of the packet at hand; whether it changes what was in effect."""
        self._own.add((kind, number))
        if self._in_effect.get((kind, number)) == unit:
            return False
        self._in_effect[kind, number] = unit
        self._are_changed = True
        return True

    @property
    def are_complete(self) -> bool:
        """Whether a decoder that starts with the packet at hand has all sets that are in effect."""
        return not self._are_changed or self._own == self._in_effect.keys()


class PictureOrder:
    """Ranks pictures by their picture order count (H.264 8.2.1, H.265 8.3.1).

    Decoders show pictures in this order if they may hold back enough of them; what a stream allows must suffice.
    """

    def __init__(self) -> None:
        self._period = 0
        self._anchor = 0
        self._ranks: list[int] = []
        self.reorder_depth = 0
        """The most pictures seen that come before a picture in decoding order and after it in output order."""

    def restart(self) -> None:
        """All that follows is shown after all that came."""
        self._period += 1
        self._anchor = 0
        self._ranks = []

    def place(self, lsb: int, lsb_bits: int, *, is_anchor: bool, offset: int = 0) -> int:
        """The picture's rank, from the low bits of its count, which are read as near to the last anchor's as may be."""
        span = 1 << lsb_bits
        count = self._anchor + (lsb - self._anchor + span // 2 - 1) % span - span // 2 + 1
        if is_anchor:
            self._anchor = count
        return self._rank(count + offset)

    def place_next(self) -> int:
        """The rank of a picture that is shown after all before it."""
        return self._rank(len(self._ranks))

    def _rank(self, count: int) -> int:
        rank = (self._period << 34) + count
        ranks = self._ranks
        if not ranks or rank > ranks[-1]:
            ranks.append(rank)
            return rank
        at = bisect_right(ranks, rank)
        self.reorder_depth = max(self.reorder_depth, len(ranks) - at)
        ranks.insert(at, rank)
        return rank
