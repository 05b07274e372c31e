"""Phrases of answers by language: the data that the reader of replies works with. One row a language.

To add a language, add one row, and its cases to `tests/evaluate/reply_templates.jsonl`.
"""

from __future__ import annotations

from ivbench_data.evaluate.replies.languages.asia import ASIA
from ivbench_data.evaluate.replies.languages.english import ENGLISH
from ivbench_data.evaluate.replies.languages.europe import EUROPE

LANGUAGES = (*ENGLISH, *EUROPE, *ASIA)
