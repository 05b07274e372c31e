"""As much of the Hub as reading a repository asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, Request, serve
from loopback_hub import describe_repository, list_files

REVISION, OTHER_REVISION = "a" * 40, "b" * 40
REPOSITORY = "lab/set"


@dataclass
class HubStandIn:
    """As much of the Hub as its library asks for."""

    loopback: Loopback
    files: dict[str, bytes] = field(default_factory=dict)
    revision: str = REVISION
    large: set[str] = field(default_factory=set)
    """Files in large file storage, whose listing has SHA-256 digests."""
    refuse_with: int | None = None
    error_code: str = "RepoNotFound"
    tokens: list[str | None] = field(default_factory=list)
    served: list[str] = field(default_factory=list)

    def respond(self, request: Request) -> bool:
        self.tokens.append(request.handler.headers.get("Authorization"))
        parts = request.path.strip("/").split("/")
        if self.refuse_with is not None:
            request.send_head(self.refuse_with, {"X-Error-Code": self.error_code, "Content-Length": "0"})
            return True
        if parts[:2] == ["api", "datasets"] and parts[2:4] == REPOSITORY.split("/"):
            if parts[4:5] == ["revision"] and parts[5] not in (self.revision, "main"):
                request.send_head(404, {"X-Error-Code": "RevisionNotFound", "Content-Length": "0"})
                return True
            return request.send_json(self.listing())
        if parts[:5] == ["datasets", *REPOSITORY.split("/"), "resolve", self.revision]:
            path = "/".join(parts[5:])
            if path in self.files:
                return self.send_file(request, path)
        request.send_head(404, {"X-Error-Code": "RepoNotFound", "Content-Length": "0"})
        return True

    def send_file(self, request: Request, path: str) -> bool:
        content = self.files[path]
        start = request.range_start or 0
        headers = {
            "X-Repo-Commit": self.revision,
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Content-Length": str(len(content) - start),
            "Accept-Ranges": "bytes",
        }
        if request.range_start is not None:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.send_head(206 if request.range_start is not None else 200, headers)
        if request.handler.command == "GET":
            self.served.append(path)
            request.send(content[start:])
        return True

    def listing(self) -> dict[str, Any]:
        return describe_repository(REPOSITORY, self.revision, list_files(self.files, self.large.__contains__))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubStandIn]:
    with serve() as loopback:
        stand_in = HubStandIn(loopback)
        loopback.respond = stand_in.respond
        monkeypatch.setenv("HF_ENDPOINT", loopback.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf_home"))
        yield stand_in
