"""The only place that opens a video to read it: exact frames, as few packets as possible, many sizes in one pass.

The frame at presentation index *i* is the *i*-th frame that a sequential decode of the whole file shows, always. To
get it, the packets are first walked without decoding (`scan_video`): timestamps, places where decoding may start, and
packets that no other frame needs. Then only the groups of pictures that hold wanted frames are decoded, each up to
its last wanted frame, without the packets that nothing wanted needs (the `selective` path). Where the packets do not
say enough, or the decoder does not show the frames that they announce, the file is decoded from its first packet on
(the `sequential` path). `clock` says when frames are shown, to everybody; `bitstream` parses packets; `resize_to_rgb`
converts pixels.
"""

from __future__ import annotations

from ivbench_data.video.decode.clock import Clock
from ivbench_data.video.decode.container_walk import PacketWalk, walk_packets
from ivbench_data.video.decode.extract import (
    ExtractionReport,
    FrameRequest,
    describe_decoder,
    extract_frames,
    iterate_frames,
)
from ivbench_data.video.decode.packet_scan import (
    VideoScan,
    check_every_frame,
    find_indices_at,
    read_first_display,
    scan_video,
)
from ivbench_data.video.opening import DEFAULT_LIMITS, DecodeLimits

__all__ = [
    "DEFAULT_LIMITS",
    "Clock",
    "DecodeLimits",
    "ExtractionReport",
    "FrameRequest",
    "PacketWalk",
    "VideoScan",
    "check_every_frame",
    "describe_decoder",
    "extract_frames",
    "find_indices_at",
    "iterate_frames",
    "read_first_display",
    "scan_video",
    "walk_packets",
]
