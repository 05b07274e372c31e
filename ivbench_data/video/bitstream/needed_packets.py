"""Which packets some frames need, from the traits of all packets of a stream."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivbench_data.video.bitstream.packet_traits import PacketTraits, UnsafeStreamError


@dataclass(frozen=True)
class PacketIndex:
    """A stream's packets in decoding order."""

    pts: NDArray[np.int64]
    """When the frame is shown; unique."""
    dts: NDArray[np.int64]
    """When the container says that it is decoded."""
    is_droppable: NDArray[np.bool_]
    """No frame of its layer or of a lower one needs it."""
    is_leading: NDArray[np.bool_]
    """It is shown before the start that it follows."""
    layer: NDArray[np.int64]
    """Its temporal layer."""
    starts: NDArray[np.int64]
    """Where decoding may start, ascending; the first is 0."""
    of_frame: NDArray[np.int64]
    """For each presentation index, the packet that holds it."""

    def group(self, indices: Sequence[int]) -> list[tuple[int, list[int]]]:
        """Runs of packets that hold the wanted frames, each with the packet to start decoding from, in that order."""
        groups: list[tuple[int, list[int]]] = []
        for holder in sorted(self.of_frame[list(indices)].tolist(), reverse=True):
            start = self._find_start(holder)
            if groups and holder >= groups[-1][0]:
                # a frame that leads the group's start pulls it back to its own
                groups[-1] = (min(start, groups[-1][0]), [holder, *groups[-1][1]])
            else:
                groups.append((start, [holder]))
        return groups[::-1]

    def _find_start(self, number: int) -> int:
        """The last start from which a decoder shows that packet's frame right: not one that it leads."""
        at = int(np.searchsorted(self.starts, number, side="right")) - 1
        while self.pts[self.starts[at]] > self.pts[number]:
            at -= 1
        return int(self.starts[at])

    def select(self, start: int, holders: Sequence[int]) -> NDArray[np.bool_]:
        """Which packets from a start to the last holder of a wanted frame are needed to show those frames."""
        numbers = np.arange(start, holders[-1] + 1)
        is_wanted = np.zeros(len(numbers), dtype=np.bool_)
        is_wanted[np.array(holders) - start] = True
        layer = self.layer[numbers]
        highest_ahead = np.maximum.accumulate(np.where(is_wanted, layer, -1)[::-1])[::-1]
        is_referred = (layer < highest_ahead) | ((layer == highest_ahead) & ~self.is_droppable[numbers])
        # frames that lead a start are needed by frames alone that lead the same one
        is_leading, leads = self.is_leading[numbers], np.searchsorted(self.starts, numbers, side="right")
        last_needed = np.full(len(self.starts) + 1, -1)
        np.maximum.at(last_needed, leads[is_wanted & is_leading], numbers[is_wanted & is_leading])
        selected: NDArray[np.bool_] = is_wanted | (is_referred & ~(is_leading & (numbers > last_needed[leads])))
        return selected


class PacketColumns:
    """What packets tell, gathered one by one in decoding order; a compact column each, for there may be millions."""

    def __init__(self) -> None:
        self.pts = array("q")
        self.dts = array("q")
        self.output_order = array("q")
        self.is_start = bytearray()
        self.is_droppable = bytearray()
        self.is_droppable_before_reset = bytearray()
        self.resets = bytearray()
        self.is_shown = bytearray()
        self.is_leading = bytearray()
        self.layer = bytearray()

    def append(self, pts: int, dts: int | None, traits: PacketTraits, is_shown: bool) -> None:
        """Add the next packet's."""
        self.pts.append(pts)
        self.dts.append(pts if dts is None else dts)
        self.output_order.append(traits.output_order)
        self.is_start.append(traits.starts_decoding)
        self.is_droppable.append(traits.is_droppable)
        self.is_droppable_before_reset.append(traits.is_droppable_before_reset)
        self.resets.append(traits.resets_state)
        self.is_shown.append(is_shown)
        self.is_leading.append(traits.is_leading)
        self.layer.append(traits.temporal_layer)


def index_packets(columns: PacketColumns) -> PacketIndex:
    """What the packets tell together, once it is sure that it can be trusted.

    Raises:
        UnsafeStreamError: it cannot.
    """
    pts = np.array(columns.pts, dtype=np.int64)
    if len(np.unique(pts)) != len(pts):
        raise UnsafeStreamError("two packets have the same timestamp")
    is_leading = np.array(columns.is_leading, dtype=np.bool_)
    # A start is clean when all that comes after it is shown after it, but for frames that say that they lead it: else
    # those may refer to what came before it (an open group of pictures).
    following = np.where(is_leading, np.iinfo(np.int64).max, pts)
    is_clean = np.array(columns.is_start, dtype=np.bool_) & (np.minimum.accumulate(following[::-1])[::-1] == pts)
    if not is_clean[0] or pts[0] != pts.min():
        raise UnsafeStreamError("the first packet is no clean place to start")
    visible = np.flatnonzero(np.array(columns.is_shown, dtype=np.bool_))
    of_frame = visible[np.argsort(pts[visible])]
    order = np.array(columns.output_order, dtype=np.int64)
    if np.any(np.diff(order[of_frame] if order.any() else of_frame) <= 0):
        raise UnsafeStreamError("timestamps tell another order than the frames do")
    before_reset = np.array(columns.is_droppable_before_reset, dtype=np.bool_)
    before_reset[:-1] &= np.array(columns.resets, dtype=np.bool_)[1:]
    return PacketIndex(
        pts=pts,
        dts=np.array(columns.dts, dtype=np.int64),
        is_droppable=np.array(columns.is_droppable, dtype=np.bool_) | before_reset,
        is_leading=is_leading,
        layer=np.array(columns.layer, dtype=np.int64),
        starts=np.flatnonzero(is_clean),
        of_frame=of_frame,
    )
