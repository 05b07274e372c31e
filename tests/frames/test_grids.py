"""Named sets of grids and the visual tokens they cost."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.errors import UsageError
from ivbench_data.frames.grids import GRID_SETS, TOKEN_RULES, count_visual_tokens, find_grids_of_budget
from ivbench_data.schema import FrameGrid


def test_sets_name_the_papers_grids() -> None:
    assert GRID_SETS["frames"] == ("8x240", "16x240", "32x240", "64x240")
    assert GRID_SETS["resolution"] == ("32x72", "32x108", "32x144", "32x240")
    assert GRID_SETS["budget"] == ("8x720", "16x480", "32x360", "64x240", "128x144", "256x108", "512x72")
    assert set(GRID_SETS["paper"]) == {name for names in GRID_SETS.values() for name in names}
    for names in GRID_SETS.values():
        assert [FrameGrid.parse(name).identity for name in names] == list(names)


@pytest.mark.parametrize(
    ("model", "identity", "tokens"),
    [
        # 420×252 is 15×9 squares of 28; two frames share a token
        ("qwen2.5-vl", "32x240-m28", 16 * 15 * 9),
        ("qwen2.5-vl", "1x240-m28", 15 * 9),
        # 416×256 is 13×8 squares of 32
        ("qwen3-vl", "32x240-m32", 16 * 13 * 8),
        ("internvl2.5", "32x240", 32 * 256),
    ],
)
def test_tokens_by_hand(model: str, identity: str, tokens: int) -> None:
    assert count_visual_tokens(model, FrameGrid.parse(identity), 854, 480) == tokens


@given(
    model=st.sampled_from(sorted(TOKEN_RULES)),
    budget=st.integers(2_000, 40_000),
    aspect=st.sampled_from([Fraction(16, 9), Fraction(4, 3), Fraction(9, 16), Fraction(1)]),
)
def test_grids_of_a_budget_keep_within_it_and_near_it(model: str, budget: int, aspect: Fraction) -> None:
    source = (aspect.numerator * 1000, aspect.denominator * 1000)
    for grid in find_grids_of_budget(model, budget, aspect):
        assert budget < 2 * count_visual_tokens(model, grid, *source) <= 2 * budget


def test_an_unknown_model_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"gpt-9.*qwen2\.5-vl"):
        find_grids_of_budget("gpt-9", 8192)
    with pytest.raises(UsageError, match="gpt-9"):
        count_visual_tokens("gpt-9", FrameGrid(nframes=1, res=28), 640, 360)
