"""Parameters of a test of which some are enough on every run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slowly(values: Iterable[Any]) -> list[Any]:
    """The values as parameters that run with the slower tests alone."""
    return [pytest.param(value, marks=pytest.mark.full) for value in values]
