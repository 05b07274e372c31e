"""Traits of a packet, the readers' interface, and the error for streams that cannot be split by packets."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class PacketTraits(NamedTuple):
    """What one packet's headers say. Where they do not say, the value is the safe one: needed, no random access."""

    starts_decoding: bool = False
    """A decoder that starts here, with nothing before, shows this frame right, and all that are shown after it."""
    is_droppable: bool = False
    """No other frame needs it: a decoder that never sees it shows the others the same. With temporal layers: no
    frame of its own layer or a lower one."""
    is_droppable_before_reset: bool = False
    """The same, if the next packet resets the decoder's state."""
    resets_state: bool = False
    """Nothing but the reference pictures comes from before into this packet's frames and the following ones."""
    is_shown: bool = True
    """It puts a frame on screen."""
    is_leading: bool = False
    """It is shown before the start that it follows, and may need what came before that start."""
    temporal_layer: int = 0
    """Frames need frames of their own layer and lower ones only."""
    output_order: int = 0
    """Frames are shown in ascending order of this; all 0 where frames are shown in decoding order."""


class UnsafeStreamError(Exception):
    """Frames cannot be picked by packets; the message says why. A sequential decode is exact all the same.

    Cache files store the message in `decode_path`: changing its words changes their bytes.
    """


class PacketReader(Protocol):
    """Reads a stream's packets, each once, in decoding order."""

    def read(self, data: memoryview, is_keyframe: bool) -> PacketTraits:
        """The traits of the next packet, which the container calls a keyframe or not.

        Raises:
            UnsafeStreamError: the stream cannot be taken apart by packets.
        """
