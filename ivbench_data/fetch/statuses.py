"""From a source's message to a status: one table, for the code and for readers.

A message is lower-cased, its curly apostrophes made straight, and matched with the rows in this order; the first whose
words occur in it decides (`*` matches anything). A message that no row matches is `unknown`, and tried again on the
next run.

====================================  ================  ============  ================
message                               status            tried again?  stops the queue?
====================================  ================  ============  ================
not whole:                            corrupt           once more     no
the hub refuses * http error 429      rate_limited      next run      yes
hf auth login                         configuration     next run      yes
different files have this name        configuration     next run      no
content mismatch:                     content_mismatch  next run      no
confirm you're not a bot              needs_cookies     next run      yes
captcha                               needs_cookies     next run      yes
confirm your age                      age_restricted    next run      no
private video                         private           when asked    no
video is private                      private           when asked    no
members-only                          members_only      when asked    no
join this channel                     members_only      when asked    no
this channel's members                members_only      when asked    no
requires payment                      members_only      when asked    no
try again later                       rate_limited      next run      yes
rate-limited                          rate_limited      next run      yes
not made * available in your country  geo_blocked       when asked    no
not available in your country         geo_blocked       when asked    no
blocked it in your country            geo_blocked       when asked    no
copyright claim                       removed           when asked    no
copyright grounds                     removed           when asked    no
terminated                            removed           when asked    no
removed                               removed           when asked    no
no longer available                   removed           when asked    no
premieres in                          not_yet           next run      no
live event will begin                 not_yet           next run      no
is live now                           not_yet           next run      no
fragment * not found                  corrupt           once more     no
fragment * giving up                  corrupt           once more     no
no address is known                   configuration     next run      no
requested format is not available     configuration     next run      no
ffmpeg is not installed               configuration     next run      yes
ffmpeg could not be found             configuration     next run      yes
unable to connect to proxy            configuration     next run      yes
tunnel connection failed              configuration     next run      yes
proxy authentication                  configuration     next run      yes
certificate_verify_failed             configuration     next run      yes
certificate verify failed             configuration     next run      yes
refused address                       configuration     next run      no
refused redirect                      unsupported       when asked    no
unsupported url scheme                unsupported       when asked    no
http error 3*                         unsupported       when asked    no
unsupported url                       unsupported       when asked    no
is not a valid url                    unsupported       when asked    no
drm protected                         unsupported       when asked    no
no suitable extractor                 unsupported       when asked    no
refused protocol                      unsupported       when asked    no
over the limit of                     over_limit        when asked    no
http error 429                        rate_limited      this run      yes
too many requests                     rate_limited      this run      yes
http error 403                        unknown           once more     no
file is empty                         corrupt           once more     no
did not get any data blocks           corrupt           once more     no
http error 404                        removed           when asked    no
http error 410                        removed           when asked    no
http error 401                        needs_cookies     next run      no
http error 402                        needs_cookies     next run      no
login required                        needs_cookies     next run      no
http error 5*                         network           this run      no
timed out                             network           this run      no
timeout                               network           this run      no
connection reset                      network           this run      no
connection aborted                    network           this run      no
connection refused                    network           this run      no
remote end closed                     network           this run      no
more expected                         network           this run      no
content too short                     network           this run      no
downloaded * bytes, expected          network           this run      no
name resolution                       network           this run      no
name or service not known             network           this run      no
nodename nor servname                 network           this run      no
no address associated                 network           this run      no
network is unreachable                network           this run      no
no route to host                      network           this run      no
broken pipe                           network           this run      no
eof occurred                          network           this run      no
[ssl:                                 network           this run      no
too slow                              network           this run      no
took longer than                      network           this run      no
cannot be reached                     network           this run      no
video unavailable                     unknown           after a day   no
this video is not available           unknown           after a day   no
(anything else)                       unknown           next run      no
====================================  ================  ============  ================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ivbench_data.errors import write_install_command
from ivbench_data.schema import FetchStatus

Again = Literal["this run", "once more", "next run", "after a day", "when asked"]
"""When a failure is tried again.

`this run`: up to the limit of attempts, backing off, then on the next run; `once more`: one more time, then on the next
run; `next run`: not in this one; `after a day`: two reports at least 24 hours apart make it `removed`; `when asked`:
permanently lost, so only with `--retry all`.
"""


@dataclass(frozen=True)
class Meaning:
    """One row of the table."""

    words: tuple[str, ...]
    status: FetchStatus
    again: Again
    stops_queue: bool = False
    advice: str = ""

    def matches(self, message: str) -> bool:
        """Whether any of the row's words occurs in the normalised message."""
        return any(_pattern(words).search(message) for words in self.words)


COOKIES = (
    "sign in with a browser, export its cookies, and pass them with --cookies FILE (accounts used so can be banned)"
)
WAIT = "wait some hours, then run the same command again; a larger --sleep keeps it from happening"

MEANINGS: Final[tuple[Meaning, ...]] = (
    # what this package found; these messages quote others
    Meaning(("not whole:",), "corrupt", "once more"),
    Meaning(("the hub refuses * http error 429",), "rate_limited", "next run", True, WAIT),
    Meaning(("hf auth login",), "configuration", "next run", True, "then run the same command again"),
    Meaning(("different files have this name",), "configuration", "next run", False,
            "put the right one into a folder, and name that folder as the first --source"),
    Meaning(("content mismatch:",), "content_mismatch", "next run", False,
            "the source shows another video, or another cut of it: compare with ivbench-data verify"),
    # the site's state, before the video's
    Meaning(("confirm you're not a bot", "captcha"), "needs_cookies", "next run", True, f"{WAIT}; or {COOKIES}"),
    Meaning(("confirm your age",), "age_restricted", "next run", False, COOKIES),
    # the video's state
    Meaning(("private video", "video is private"), "private", "when asked"),
    Meaning(("members-only", "join this channel", "this channel's members", "requires payment"), "members_only",
            "when asked"),
    Meaning(("try again later", "rate-limited"), "rate_limited", "next run", True, WAIT),
    Meaning(("not made * available in your country", "not available in your country", "blocked it in your country"),
            "geo_blocked", "when asked", False, "a --proxy in another country may reach it"),
    Meaning(("copyright claim", "copyright grounds", "terminated", "removed", "no longer available"), "removed",
            "when asked"),
    Meaning(("premieres in", "live event will begin", "is live now"), "not_yet", "next run"),
    Meaning(("fragment * not found", "fragment * giving up"), "corrupt", "once more"),
    # missing on this machine
    Meaning(("no address is known",), "configuration", "next run", False,
            "name a --source, or give the videos addresses of their own in videos.jsonl"),
    Meaning(("requested format is not available",), "configuration", "next run", False,
            "try another --max-height; an old yt-dlp or a missing JavaScript runtime also hides formats: see "
            "ivbench-data doctor"),
    Meaning(("ffmpeg is not installed", "ffmpeg could not be found"), "configuration", "next run", True,
            write_install_command("fetch")),
    Meaning(("unable to connect to proxy", "tunnel connection failed", "proxy authentication"), "configuration",
            "next run", True, "check --proxy"),
    Meaning(("certificate_verify_failed", "certificate verify failed"), "configuration", "next run", True,
            "check the machine's clock, its certificates, and whatever stands between it and the net"),
    # refused by this package
    Meaning(("refused address",), "configuration", "next run", False,
            "only public addresses are connected to; to allow one of your own network, name it: "
            "--source 'http://HOST:PORT/{video_id}.mp4'"),
    Meaning(("refused redirect", "unsupported url scheme", "http error 3*"), "unsupported", "when asked"),
    Meaning(("unsupported url", "is not a valid url", "drm protected", "no suitable extractor", "refused protocol"),
            "unsupported", "when asked"),
    Meaning(("over the limit of",), "over_limit", "when asked", False, "raise --max-bytes"),
    # protocol errors
    Meaning(("http error 429", "too many requests"), "rate_limited", "this run", True, WAIT),
    Meaning(("http error 403",), "unknown", "once more"),
    Meaning(("file is empty", "did not get any data blocks"), "corrupt", "once more"),
    Meaning(("http error 404", "http error 410"), "removed", "when asked"),
    Meaning(("http error 401", "http error 402", "login required"), "needs_cookies", "next run", False, COOKIES),
    Meaning(("http error 5*", "timed out", "timeout", "connection reset", "connection aborted", "connection refused",
             "remote end closed", "more expected", "content too short",
             "downloaded * bytes, expected", "name resolution", "name or service not known",
             "nodename nor servname", "no address associated", "network is unreachable", "no route to host",
             "broken pipe", "eof occurred", "[ssl:", "too slow", "took longer than",
             "cannot be reached"), "network", "this run"),
    # ambiguous
    Meaning(("video unavailable", "this video is not available"), "unknown", "after a day"),
)  # fmt: skip
"""The table, in order."""

UNKNOWN: Final = Meaning((), "unknown", "next run")
"""A message that no row matches."""

LOST: Final = frozenset[FetchStatus]({"removed", "private", "members_only", "geo_blocked", "unsupported"})
"""Permanent statuses: lost at the source. They are reported, and fail a run only with `--strict`."""


def explain_message(message: str) -> Meaning:
    """Meaning of a source's message: the first row of the table that matches."""
    normalised = " ".join(message.lower().replace("’", "'").replace("‘", "'").split())
    return next((meaning for meaning in MEANINGS if meaning.matches(normalised)), UNKNOWN)


def is_bare_unavailable(message: str | None) -> bool:
    """Whether the message says only that the video is unavailable."""
    return message is not None and explain_message(message).again == "after a day"


def write_table() -> str:
    """The table, as it stands in this module's docstring."""
    rows = [("message", "status", "tried again?", "stops the queue?")]
    rows += [
        (words, meaning.status, meaning.again, "yes" if meaning.stops_queue else "no")
        for meaning in (*MEANINGS, UNKNOWN)
        for words in meaning.words or ("(anything else)",)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, words.split("*"))))
