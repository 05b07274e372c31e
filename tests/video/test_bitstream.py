"""What packets say of themselves: headers written by hand, headers of real encoders, and bytes of no sense at all."""

from __future__ import annotations

from pathlib import Path

import av
import media
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivbench_data.video.bitstream import (
    PacketColumns,
    PacketIndex,
    PacketTraits,
    UnsafeStreamError,
    index_packets,
    open_reader,
)
from ivbench_data.video.bitstream.bits import BitReader
from ivbench_data.video.bitstream.nal_units import ParameterSets, PictureOrder

CODECS = ["h264", "hevc", "vp8", "vp9", "av1", "mjpeg", "prores", "dnxhd", "png"]


class BitWriter:
    def __init__(self) -> None:
        self.bits = ""

    def put(self, value: int, count: int) -> BitWriter:
        self.bits += f"{value:0{count}b}" if count else ""
        return self

    def put_exp_golomb(self, value: int) -> BitWriter:
        return self.put(value + 1, 2 * (value + 1).bit_length() - 1)

    def to_bytes(self, size: int = 0) -> bytes:
        padded = self.bits.ljust(max(8 * size, (len(self.bits) + 7) // 8 * 8), "0")
        return int(padded, 2).to_bytes(len(padded) // 8, "big")


def read_all(path: Path, codec: str) -> list[PacketTraits]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        reader = open_reader(codec, stream.codec_context.extradata or b"", held_back=2)
        return [reader.read(memoryview(p), p.is_keyframe) for p in container.demux(stream) if p.size]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


# --- bits and numbers -------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(st.tuples(st.just("bits"), st.integers(0, 2**20)), st.tuples(st.just("ue"), st.integers(0, 2**31)))
    )
)
def test_numbers_are_read_as_they_were_written(items: list[tuple[str, int]]) -> None:
    writer = BitWriter()
    for kind, value in items:
        writer.put(value, 21) if kind == "bits" else writer.put_exp_golomb(value)
    bits = BitReader(writer.to_bytes(1))
    assert [bits.read(21) if kind == "bits" else bits.read_exp_golomb() for kind, _ in items] == [v for _, v in items]


@given(st.integers(-(2**20), 2**20))
def test_signed_numbers_alternate(value: int) -> None:
    code = 2 * value - 1 if value > 0 else -2 * value
    assert BitReader(BitWriter().put_exp_golomb(code).to_bytes()).read_signed_exp_golomb() == value


def test_reading_past_the_end_is_refused() -> None:
    for read in (lambda bits: bits.read(9), BitReader.read_exp_golomb):
        with pytest.raises(UnsafeStreamError):
            read(BitReader(b"\0"))


@given(st.lists(st.integers(-60, 60), min_size=1, max_size=60), st.integers(4, 8))
def test_picture_order_counts_are_those_of_the_standard(steps: list[int], lsb_bits: int) -> None:
    span = 1 << lsb_bits
    order, previous_msb, previous_lsb, ranks, counts = PictureOrder(), 0, 0, [], []
    for number, step in enumerate(steps):
        lsb = step % span
        # H.264 (8-3)
        if lsb < previous_lsb and previous_lsb - lsb >= span // 2:
            msb = previous_msb + span
        elif lsb > previous_lsb and lsb - previous_lsb > span // 2:
            msb = previous_msb - span
        else:
            msb = previous_msb
        is_anchor = number % 3 != 2
        if is_anchor:
            previous_msb, previous_lsb = msb, lsb
        counts.append(msb + lsb)
        ranks.append(order.place(lsb, lsb_bits, is_anchor=is_anchor))
    assert [rank - ranks[0] for rank in ranks] == [count - counts[0] for count in counts]
    held = [sum(earlier > count for earlier in set(counts[:at])) for at, count in enumerate(counts)]
    assert order.reorder_depth >= max(held)


def test_a_restart_comes_after_all_before_it() -> None:
    order = PictureOrder()
    before = [order.place(lsb, 8, is_anchor=True) for lsb in (0, 100, 50)]
    order.restart()
    assert order.place(0, 8, is_anchor=True) > max(before)


# --- parameter sets ---------------------------------------------------------------------------------------------


def test_starts_need_all_parameter_sets_once_any_changed() -> None:
    sets = ParameterSets()
    sets.put_initial(7, 0, b"a")
    sets.put_initial(8, 0, b"b")
    sets.begin_packet()
    assert sets.are_complete
    assert not sets.put(7, 0, b"a")
    assert sets.are_complete, "a repetition changes nothing"
    sets.begin_packet()
    assert sets.put(8, 0, b"c")
    assert not sets.are_complete, "a decoder that starts here has the first set from the extradata only"
    sets.put(7, 0, b"a")
    assert sets.are_complete
    sets.begin_packet()
    assert not sets.are_complete, "a decoder that starts here has the changed set not at all"


# --- hostile bytes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=60, deadline=None)
@given(
    packets=st.lists(st.binary(max_size=80), max_size=4), extradata=st.binary(max_size=60), is_keyframe=st.booleans()
)
def test_bytes_of_no_sense_are_refused_or_read_but_never_crash(
    codec: str, packets: list[bytes], extradata: bytes, is_keyframe: bool
) -> None:
    try:
        reader = open_reader(codec, extradata)
        for packet in packets:
            assert isinstance(reader.read(memoryview(packet), is_keyframe), PacketTraits)
    except UnsafeStreamError:
        return


@pytest.mark.parametrize(
    ("name", "codec"),
    [("h264.mp4", "h264"), ("hevc.mp4", "hevc"), ("vp9.webm", "vp9"), ("av1.mp4", "av1"), ("vp8.webm", "vp8")],
)
def test_damaged_packets_are_refused_or_read_but_never_crash(folder: Path, name: str, codec: str) -> None:
    random = np.random.default_rng(1)
    with av.open(str(media.make_honest(folder, name))) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata or b""
        packets = [(bytes(p), p.is_keyframe) for p in container.demux(stream) if p.size]
    for _ in range(150):
        try:
            reader = open_reader(codec, extradata)
            for content, is_keyframe in packets[:12]:
                damaged = bytearray(content)
                for at in random.integers(0, min(len(damaged), 60), 2):
                    damaged[at] ^= 1 << int(random.integers(8))
                reader.read(memoryview(damaged[: int(random.integers(1, len(damaged) + 1))]), is_keyframe)
        except UnsafeStreamError:
            continue


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(UnsafeStreamError, match="mpeg4"):
        open_reader("mpeg4", b"")


# --- streams of real encoders -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "share"),
    [("h264.mp4", "h264", 0.3), ("hevc.mp4", "hevc", 0.3), ("av1.mp4", "av1", 0.4), ("hevc_layers.mp4", "hevc", 0.3)],
)
def test_b_frames_are_droppable(folder: Path, name: str, codec: str, share: float) -> None:
    traits = read_all(media.make_honest(folder, name), codec)
    assert sum(t.is_droppable for t in traits) >= share * len(traits)
    assert not any(t.is_droppable for t in traits if t.starts_decoding)


def test_vp9_layers_are_droppable_before_a_frame_that_resets(folder: Path) -> None:
    traits = read_all(media.make_honest(folder, "vp9_layers.webm"), "vp9")
    assert sum(t.is_droppable_before_reset for t in traits) >= len(traits) // 2
    assert all(t.resets_state for t in traits), "each frame is resilient"


def test_vp9_frames_that_adapt_probabilities_are_needed(folder: Path) -> None:
    traits = read_all(media.make_honest(folder, "vp9.webm"), "vp9")
    assert not any(t.resets_state for t in traits if not t.starts_decoding)


def test_vp9_frames_that_refresh_no_slot_are_needed_all_the_same_before_a_frame_that_adapts(folder: Path) -> None:
    path = media.make_honest(folder, "vp9_layers_adapting.webm")
    traits = read_all(path, "vp9")
    unreferenced = [t.is_droppable_before_reset for t in traits]
    assert sum(unreferenced) >= len(traits) // 2
    assert not any(t.resets_state for t in traits if not t.starts_decoding)

    def show(is_dropped: list[bool]) -> dict[int | None, bytes]:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size]
            kept = [packet for packet, dropped in zip(packets, is_dropped, strict=True) if not dropped]
            shown = [frame for packet in [*kept, None] for frame in stream.codec_context.decode(packet)]
            return {frame.pts: frame.to_ndarray().tobytes() for frame in shown}

    every, others = show([False] * len(traits)), show(unreferenced)
    assert any(every[pts] != others[pts] for pts in others), "what dropping them would come to"


def test_hidden_frames_are_not_shown(folder: Path) -> None:
    traits = read_all(media.make_honest(folder, "vp8_hidden.webm"), "vp8")
    assert [number for number, t in enumerate(traits) if not t.is_shown] == list(range(3, 60, 7))


def test_leading_pictures_are_distinguished_from_trailing_ones(folder: Path) -> None:
    traits = read_all(media.make_honest(folder, "hevc_open_gop.mp4"), "hevc")
    starts = [number for number, t in enumerate(traits) if t.starts_decoding]
    assert len(starts) == 5
    assert all(traits[start + 1].is_leading for start in starts[1:])


def test_a_stream_without_reorder_depth_is_safe_only_if_the_decoder_holds_enough_back(folder: Path) -> None:
    with av.open(str(media.make_honest(folder, "h264_no_usability.mp4"))) as container:
        stream = container.streams.video[0]
        packets = [(bytes(p), p.is_keyframe) for p in container.demux(stream) if p.size]
        extradata = stream.codec_context.extradata
    assert extradata
    enough = open_reader("h264", extradata, held_back=2)
    for content, is_keyframe in packets:
        enough.read(memoryview(content), is_keyframe)
    short = open_reader("h264", extradata, held_back=1)
    with pytest.raises(UnsafeStreamError, match="hold back"):
        [short.read(memoryview(content), is_keyframe) for content, is_keyframe in packets]


def test_streams_that_ffmpeg_decodes_by_their_encoders_name_are_refused(tmp_path: Path) -> None:
    media.make_old_444(tmp_path / "old.mp4")
    with pytest.raises(UnsafeStreamError, match="x264 build 100"):
        read_all(tmp_path / "old.mp4", "h264")


def test_two_pictures_in_a_packet_are_refused(folder: Path) -> None:
    with av.open(str(media.make_honest(folder, "h264_baseline.mp4"))) as container:
        stream = container.streams.video[0]
        packets = [bytes(p) for p in container.demux(stream) if p.size]
        reader = open_reader("h264", stream.codec_context.extradata or b"")
    reader.read(memoryview(packets[0]), True)
    with pytest.raises(UnsafeStreamError, match="begins 2"):
        reader.read(memoryview(packets[1] + packets[2]), False)


# --- headers written by hand ------------------------------------------------------------------------------------


def vp9_frame(
    *, key: bool = False, shown: bool = True, resilient: bool = False, refreshed: int = 0, segmented: bool = False
) -> bytes:
    """A VP9 uncompressed header of profile 0, 64×48."""
    writer = BitWriter().put(2, 2).put(0, 2).put(0, 1).put(not key, 1).put(shown, 1).put(resilient, 1)
    if key:
        writer.put(0x498342, 24).put(2, 3).put(0, 1).put(63, 16).put(47, 16)
        return writer.to_bytes(40)
    if not shown:
        writer.put(0, 1)
    if not resilient:
        writer.put(0, 2)
    writer.put(refreshed, 8).put(0, 12).put(1, 1).put(0, 1).put(0, 1).put(1, 1)
    if not resilient:
        writer.put(0, 2)
    writer.put(0, 2 + 6 + 3).put(1, 1).put(1, 1)  # loop filter deltas that change
    writer.put(1, 1).put(0, 7).put(0, 5)
    writer.put(60, 8).put(1, 1).put(3, 5).put(0, 2).put(segmented, 1)
    return writer.to_bytes(40)


def superframe(*frames: bytes) -> bytes:
    marker = bytes([0b11001000 | len(frames) - 1])  # two bytes a size
    return b"".join(frames) + marker + b"".join(len(frame).to_bytes(2, "little") for frame in frames) + marker


VP9_REPEAT = BitWriter().put(2, 2).put(0, 2).put(1, 1).put(3, 3).to_bytes()


def test_vp9_headers() -> None:
    reader = open_reader("vp9", b"")

    def read(data: bytes, is_keyframe: bool = False) -> PacketTraits:
        return reader.read(memoryview(data), is_keyframe)

    assert read(vp9_frame(key=True), True).starts_decoding
    assert not read(vp9_frame(refreshed=1)).is_droppable_before_reset
    unreferenced = read(vp9_frame())
    assert unreferenced.is_droppable_before_reset
    assert not unreferenced.is_droppable, "the next frame may take its motion vectors"
    assert not read(vp9_frame(segmented=True)).is_droppable_before_reset
    assert read(vp9_frame(resilient=True)).resets_state
    assert read(VP9_REPEAT) == PacketTraits(is_droppable=True)
    hidden = read(superframe(vp9_frame(shown=False, refreshed=4), vp9_frame()))
    assert hidden.is_shown
    assert not hidden.is_droppable_before_reset
    assert not read(vp9_frame(shown=False, refreshed=4)).is_shown
    with pytest.raises(UnsafeStreamError, match="shows 2"):
        read(superframe(vp9_frame(), vp9_frame()))
    with pytest.raises(UnsafeStreamError, match="do not add up"):
        read(superframe(vp9_frame(), b""))


def test_vp8_keyframes_that_keep_a_segment_map_start_nothing() -> None:
    def keyframe(flags: int) -> bytes:
        # each flag halves the arithmetic decoder's span: the first four bits, nearly
        return b"\x10\0\0\x9d\x01\x2a\x40\0\x30\0" + bytes([flags << 4 | 4]) + bytes(8)

    reader = open_reader("vp8", b"")
    assert reader.read(memoryview(keyframe(0b0000)), True).starts_decoding
    assert reader.read(memoryview(keyframe(0b0011)), True).starts_decoding
    assert not reader.read(memoryview(keyframe(0b0010)), True).starts_decoding


def jpeg(*markers: int) -> bytes:
    return b"\xff\xd8" + b"".join(bytes([0xFF, marker, 0, 4, 0, 0]) for marker in (*markers, 0xDA)) + bytes(20)


def test_jpegs_that_lack_tables_start_nothing() -> None:
    reader = open_reader("mjpeg", b"")
    read = [
        reader.read(memoryview(data), True).starts_decoding
        for data in (jpeg(0xDB), jpeg(0xC4), jpeg(0xDB, 0xC4), jpeg(0xDB))
    ]
    assert read == [True, False, True, False], "the last would use the tables of the one before"


# --- which packets are needed -----------------------------------------------------------------------------------


def index_of(rows: list[dict[str, int | bool]]) -> PacketIndex:
    columns = PacketColumns()
    for row in rows:
        row = dict(row)
        pts, is_shown = int(row.pop("pts")), bool(row.pop("is_shown", True))
        columns.append(pts, None, PacketTraits(**row), is_shown)  # type: ignore[arg-type]  # booleans and integers
    return index_packets(columns)


def test_repeated_timestamps_are_refused() -> None:
    with pytest.raises(UnsafeStreamError, match="same timestamp"):
        index_of([{"pts": 0, "starts_decoding": True}, {"pts": 0}])


def test_a_stream_that_does_not_begin_with_a_start_is_refused() -> None:
    with pytest.raises(UnsafeStreamError, match="first packet"):
        index_of([{"pts": 0}, {"pts": 1, "starts_decoding": True}])


def test_timestamps_against_the_frames_order_are_refused() -> None:
    with pytest.raises(UnsafeStreamError, match="another order"):
        index_of(
            [
                {"pts": 0, "starts_decoding": True, "output_order": 1},
                {"pts": 1, "output_order": 3},
                {"pts": 2, "output_order": 2},
            ]
        )
    with pytest.raises(UnsafeStreamError, match="another order"):
        index_of([{"pts": 0, "starts_decoding": True}, {"pts": 2}, {"pts": 1}])


def test_open_groups_of_pictures_are_no_clean_starts() -> None:
    index = index_of(
        [
            {"pts": 0, "starts_decoding": True, "output_order": 1},
            {"pts": 4, "starts_decoding": True, "output_order": 5},
            {"pts": 2, "output_order": 3},
            {"pts": 6, "starts_decoding": True, "output_order": 7},
        ]
    )
    assert index.starts.tolist() == [0, 3]


def test_what_leads_a_start_is_decoded_from_the_one_before() -> None:
    index = index_of(
        [
            {"pts": 0, "starts_decoding": True, "output_order": 1},
            {"pts": 1, "output_order": 2},
            {"pts": 4, "starts_decoding": True, "output_order": 5},
            {"pts": 2, "output_order": 3, "is_leading": True},
            {"pts": 3, "output_order": 4, "is_leading": True, "is_droppable": True},
            {"pts": 5, "output_order": 6},
        ]
    )
    assert index.starts.tolist() == [0, 2]
    assert index.group([5]) == [(2, [5])]
    assert index.select(2, [5]).tolist() == [True, False, False, True]
    assert index.group([3, 5]) == [(0, [4, 5])]
    assert index.select(0, [4, 5]).tolist() == [True, True, True, True, True, True]
    assert index.group([0, 5]) == [(0, [0]), (2, [5])]
    assert index.group([2, 5]) == [(0, [3, 5])]
    assert index.select(0, [3, 5]).tolist() == [True, True, True, True, False, True]


def test_higher_layers_are_left_out_where_only_lower_ones_are_wanted() -> None:
    index = index_of(
        [{"pts": 0, "starts_decoding": True}, *({"pts": at, "temporal_layer": at % 2} for at in range(1, 7))]
    )
    assert index.select(0, [4]).tolist() == [True, False, True, False, True]
    assert index.select(0, [5]).tolist() == [True, True, True, True, True, True]


def test_a_frame_that_is_droppable_before_a_reset_needs_one_behind_it() -> None:
    index = index_of(
        [
            {"pts": 0, "starts_decoding": True},
            {"pts": 1, "is_droppable_before_reset": True},
            {"pts": 2, "is_droppable_before_reset": True, "resets_state": True},
            {"pts": 3},
        ]
    )
    assert index.is_droppable.tolist() == [False, True, False, False]
