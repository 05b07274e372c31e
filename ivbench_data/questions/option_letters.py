"""The letters that options are shown with."""

from __future__ import annotations

import string

LETTERS = string.ascii_uppercase
"""The letters of options, in order."""
