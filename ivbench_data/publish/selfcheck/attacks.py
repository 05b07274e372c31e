"""Every attack on hidden answers, by name. Another one is a callable in a file of its kind, and a line here."""

from __future__ import annotations

from typing import Final

from ivbench_data.publish.selfcheck.attack_input import Attack
from ivbench_data.publish.selfcheck.cue_attacks import guess_by_cues
from ivbench_data.publish.selfcheck.hash_dictionary import guess_by_digests
from ivbench_data.publish.selfcheck.order_attacks import guess_by_hash_order, guess_by_position, guess_by_shuffle
from ivbench_data.publish.selfcheck.text_attacks import (
    guess_by_bytes,
    guess_by_codes,
    guess_by_file_words,
    guess_by_twins,
    guess_by_words,
)

ATTACKS: Final[dict[str, Attack]] = {
    "position": guess_by_position,
    "hash_order": guess_by_hash_order,
    "shuffle": guess_by_shuffle,
    "digests": guess_by_digests,
    "words": guess_by_words,
    "codes": guess_by_codes,
    "bytes": guess_by_bytes,
    "file_words": guess_by_file_words,
    "twins": guess_by_twins,
    "cues": guess_by_cues,
}
"""Every attack, by name."""

PROOFS: Final = frozenset({"digests"})
"""Attacks whose every guess is a proof: a digest that fits one option and not the others fits by no chance."""

ADVICE: Final[dict[str, str]] = {
    "position": "the options do not come in the order of a secret: hide the answers with hide_answers",
    "hash_order": "the options are put in an order that anybody can compute: hide the answers with hide_answers",
    "shuffle": "the order of rows or options depends on the answers, or can be undone: hide_answers orders both",
    "digests": "leave digests of answers, and of records that hold them, out of the folder",
    "words": "leave out what is named, or rename it; where it is a name of an image or a video, give it a neutral one",
    "codes": "leave out what is named",
    "bytes": "write those files anew without what they say beside their pixels or frames",
    "file_words": "leave the answers out of that file",
    "twins": "put questions that share a picture or a video into one split",
    "cues": "the options give the answers away: rewrite them, so that answers look like the wrong options",
}
"""What to do about each."""
