"""Pushes in processes of their own, to be killed: a line of JSON on stdin names the arguments of one.

Each is forked from this process, which has loaded all it needs, so that it starts at once. A line on stdout tells its
process id, and a second one how it ended.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Pusher:
    """The process that the pushes are forked from, seen from the test."""

    process: subprocess.Popen[bytes]

    def start(self, **arguments: Any) -> int:
        """The process id of a push that has begun."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(arguments).encode() + b"\n")
        return int(self._read())

    def has_ended(self) -> bool:
        """Whether the push has ended by itself."""
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def wait(self) -> int:
        """The exit code of the push, or the signal that ended it, negative."""
        return int(self._read())

    def _read(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def start_pusher(environment: dict[str, str]) -> Iterator[Pusher]:
    with subprocess.Popen(
        [sys.executable, str(Path(__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**os.environ, **environment},
    ) as process:
        yield Pusher(process)
        assert process.stdin is not None
        process.stdin.close()


def _serve_lines() -> None:
    import huggingface_hub._commit_api
    import huggingface_hub.file_download
    import huggingface_hub.utils.tqdm

    huggingface_hub.HfApi()  # all of this so that the children need not load it

    from ivbench_data.errors import IvbenchError
    from ivbench_data.publish.hub.push import plan_push, push_folder

    for line in sys.stdin:
        arguments = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            time.sleep = lambda seconds: None  # type: ignore[assignment]  # the library tries again at once
            try:
                push_folder(plan_push(arguments["folder"], arguments["repo_id"], private=arguments["private"]))
                code = 0
            except IvbenchError as error:
                code = error.exit_code
            except KeyboardInterrupt:
                code = 130
            finally:
                os._exit(code)
        print(pid, flush=True)  # noqa: T201  # for the test that started us
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201  # for the test that started us


if __name__ == "__main__":
    _serve_lines()
