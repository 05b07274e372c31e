"""A Hub on this machine that is written to: repositories with commits, large file storage, pull requests.

It answers as the Hub does what huggingface_hub asks for when it lists, downloads, uploads and commits. What others find
is `LoopbackHub.published_files`. A fault stands before every request, and is told its number.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loopback import Loopback, Request, serve

TOKEN = "hf_tokenofthisstandin"
SIGNATURE = "signaturethatletsanybodyupload"
LARGE_SUFFIXES = {".parquet", ".safetensors", ".mp4", ".zip", ".gz"}
PART_BYTES = 300
"""Large files of more bytes go up in parts."""

Answer = Callable[[], "Reply"]
HubFault = Callable[[int, Request, Answer], "Reply | None"]
"""What answers a request instead; it is told the request's number from 0. None when nothing is to be sent any more."""


@dataclass
class Reply:
    """What a request is answered with."""

    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200) -> Reply:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    @classmethod
    def error(cls, status: int, message: str, code: str = "") -> Reply:
        reply = cls.json({"error": message}, status)
        return cls(status, reply.content, {**reply.headers, "X-Error-Message": message, "X-Error-Code": code})


@dataclass(frozen=True)
class HubCommit:
    """One state of a repository."""

    oid: str
    title: str
    files: dict[str, bytes]
    parent: str | None = None


@dataclass
class HubRepository:
    """A repository: its commits, and which of them `main` and each pull request are at."""

    repo_id: str
    is_private: bool = False
    commits: dict[str, HubCommit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    """Of the pull requests, by ref."""

    @property
    def head(self) -> HubCommit:
        return self.commits[self.refs["main"]]

    def find(self, revision: str) -> HubCommit | None:
        return self.commits.get(self.refs.get(revision, revision))

    def add_commit(self, title: str, files: dict[str, bytes], ref: str = "main", parent: str | None = None) -> str:
        """A commit with these files and no others."""
        parent = parent or self.refs.get(ref)
        told = json.dumps([title, parent, len(self.commits), {name: describe(files[name]) for name in sorted(files)}])
        oid = hashlib.sha1(told.encode()).hexdigest()
        self.commits[oid] = HubCommit(oid, title, dict(files), parent)
        self.refs[ref] = oid
        return oid


def describe(content: bytes) -> dict[str, Any]:
    """Size and git's digest of a file, as listings tell them."""
    return {"size": len(content), "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}


def list_files(files: dict[str, bytes], large: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The listing of a repository's files; large ones have the digest of their bytes."""
    siblings = []
    for path, content in files.items():
        entry = {"rfilename": path, **describe(content)}
        if large(path):
            entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        siblings.append(entry)
    return siblings


def describe_repository(
    repo_id: str, sha: str, siblings: list[dict[str, Any]], is_private: bool = False
) -> dict[str, Any]:
    return {"id": repo_id, "_id": "0" * 24, "sha": sha, "siblings": siblings, "private": is_private, "downloads": 0,
            "likes": 0, "tags": [], "gated": False, "disabled": False}  # fmt: skip


def is_large(path: str) -> bool:
    return PurePosixPath(path).suffix in LARGE_SUFFIXES


@dataclass
class LoopbackHub:
    """The Hub: what it holds, and what it was asked for."""

    loopback: Loopback
    repositories: dict[str, HubRepository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """Large file storage, by SHA-256: what commits may name, and no listing tells."""
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    fault: HubFault | None = None
    asked: list[str] = field(default_factory=list)
    """Each request since the last `forget`: method and path."""
    card_warnings: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def make_repository(
        self, repo_id: str, files: dict[str, bytes] | None = None, private: bool = False
    ) -> HubRepository:
        made = HubRepository(repo_id, private)
        made.add_commit("initial commit", {".gitattributes": b"*.parquet filter=lfs\n", **(files or {})})
        for path, content in (files or {}).items():
            if is_large(path):
                self.objects[hashlib.sha256(content).hexdigest()] = content
        self.repositories[repo_id] = made
        return made

    def forget(self, fault: HubFault | None = None) -> None:
        """Forget what was asked, and misbehave in this way from now on."""
        with self.lock:
            self.fault = fault
            self.asked.clear()

    def published_files(self, repo_id: str) -> dict[str, bytes] | None:
        """What anybody finds at the head of `main`, but for the Hub's own file; None where nobody finds anything."""
        with self.lock:
            repository = self.repositories.get(repo_id)
            if repository is None or repository.is_private:
                return None
            return {path: content for path, content in repository.head.files.items() if path != ".gitattributes"}

    # --- requests ------------------------------------------------------------------------------------------------

    def respond(self, request: Request) -> bool:
        with self.lock:
            number = len(self.asked)
            self.asked.append(f"{request.handler.command} {request.path}")
            fault = self.fault

        def answer() -> Reply:
            body = request.read_body()
            with self.lock:
                return self.answer(request, body)

        reply = answer() if fault is None else fault(number, request, answer)
        if reply is None:
            return request.reset()
        status, content, headers = reply.status, reply.content, dict(reply.headers)
        if request.range_start is not None and status == 200:
            status, content = 206, content[request.range_start :]
            headers["Content-Range"] = f"bytes {request.range_start}-{len(reply.content) - 1}/{len(reply.content)}"
        request.send_head(status, {"Content-Type": "text/plain", **headers, "Content-Length": str(len(content))})
        if request.handler.command != "HEAD":
            request.send(content)
        return True

    def answer(self, request: Request, body: bytes) -> Reply:
        parts = request.path.strip("/").split("/")
        method = request.handler.command
        if parts[0] == "lfs":
            return self.answer_storage(request, parts[1:], body)
        if parts[0] == "cas":
            return self.answer_xet(parts[1:], body)
        may_write = request.handler.headers.get("Authorization") == f"Bearer {TOKEN}"
        if parts == ["api", "validate-yaml"]:
            return Reply.json({"errors": [], "warnings": [{"message": message} for message in self.card_warnings]})
        if parts == ["api", "repos", "create"]:
            return self.create_repository(json.loads(body), may_write)
        if parts[:2] == ["api", "datasets"]:
            repo_id, rest = "/".join(parts[2:4]), parts[4:]
        elif parts[0] == "datasets":
            repo_id, rest = "/".join(parts[1:3]), parts[3:]
        else:
            return Reply.error(404, "there is nothing here")
        repository = self.repositories.get(repo_id.removesuffix(".git"))
        if repository is None or (repository.is_private and not may_write):
            return Reply.error(401, "Repository not found", "RepoNotFound")
        if rest[:1] == ["resolve"]:
            return self.answer_file(repository, rest[1], "/".join(rest[2:]))
        if method == "GET" and rest[:1] in ([], ["revision"], ["discussions"], ["tree"]):
            return self.answer_question(repository, rest, request)
        if rest == ["paths-info", *rest[1:]]:
            return self.list_paths(repository, rest[1], parse_qs(body.decode()).get("paths", []))
        create_pr = parse_qs(urlsplit(request.handler.path).query).get("create_pr") == ["1"]
        if not may_write:
            return Reply.error(403, "Forbidden: you have no write access")
        if rest[:1] == ["xet-write-token"]:
            access = {"casUrl": f"{self.loopback.url}/cas", "accessToken": "xet", "exp": int(time.time()) + 3600}
            return Reply.json(access)
        if rest == ["settings"]:
            wanted = json.loads(body)
            repository.is_private = wanted.get("private", wanted.get("visibility") == "private")
            return Reply.json({})
        if rest[:1] == ["preupload"]:
            return self.answer_preupload(repository, rest[1], json.loads(body))
        if rest == ["info", "lfs", "objects", "batch"]:
            return self.answer_batch(repo_id, json.loads(body))
        if rest == ["info", "lfs", "objects", "verify"]:
            stored = json.loads(body)["oid"] in self.objects
            return Reply.json({}) if stored else Reply.error(404, "no such object")
        if rest[:1] == ["commit"]:
            return self.make_commit(repository, rest[1], [json.loads(line) for line in body.splitlines()], create_pr)
        return Reply.error(404, "there is nothing here")

    # --- reading -------------------------------------------------------------------------------------------------

    def answer_question(self, repository: HubRepository, rest: list[str], request: Request) -> Reply:
        if rest[:1] == ["discussions"]:
            found = [
                {"title": title, "num": int(ref.rpartition("/")[2]), "author": {"name": "us"}, "status": "open",
                 "createdAt": "2026-01-01T00:00:00.000Z", "isPullRequest": True,
                 "repo": {"name": repository.repo_id, "type": "dataset"}}
                for ref, title in repository.titles.items()
            ]  # fmt: skip
            return Reply.json({"discussions": found, "count": len(found), "start": 0})
        if rest[:1] == ["tree"]:
            return self.list_tree(repository, rest[1], "/".join(rest[2:]), "recursive=True" in request.handler.path)
        commit = repository.find("/".join(rest[1:]) or "main")
        if commit is None:
            return Reply.error(404, "Invalid rev id", "RevisionNotFound")
        siblings = list_files(commit.files, is_large)
        return Reply.json(describe_repository(repository.repo_id, commit.oid, siblings, repository.is_private))

    def answer_file(self, repository: HubRepository, revision: str, path: str) -> Reply:
        commit = repository.find(revision)
        if commit is None:
            return Reply.error(404, "Invalid rev id", "RevisionNotFound")
        if path not in commit.files:
            return Reply.error(404, "Entry not found", "EntryNotFound")
        content = commit.files[path]
        etag = hashlib.sha256(content).hexdigest() if is_large(path) else describe(content)["blobId"]
        return Reply(200, content, {"X-Repo-Commit": commit.oid, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"})

    def list_tree(self, repository: HubRepository, revision: str, folder: str, recursive: bool) -> Reply:
        commit = repository.find(revision)
        if commit is None:
            return Reply.error(404, "Invalid rev id", "RevisionNotFound")
        entries: dict[str, dict[str, Any]] = {}
        for path in commit.files:
            if folder and not path.startswith(folder + "/"):
                continue
            inner = path[len(folder) + 1 if folder else 0 :].split("/")
            for depth in range(1, len(inner)) if recursive else range(1, min(2, len(inner))):
                name = "/".join(([folder] if folder else []) + inner[:depth])
                entries[name] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": name}
            if recursive or len(inner) == 1:
                entries[path] = self.describe_entry(path, commit.files[path])
        if folder and not entries:
            return Reply.error(404, "Entry not found", "EntryNotFound")
        return Reply.json(list(entries.values()))

    def list_paths(self, repository: HubRepository, revision: str, paths: list[str]) -> Reply:
        commit = repository.find(revision)
        if commit is None:
            return Reply.error(404, "Invalid rev id", "RevisionNotFound")
        found = [self.describe_entry(path, commit.files[path]) for path in paths if path in commit.files]
        folders = [path for path in paths if any(name.startswith(path + "/") for name in commit.files)]
        return Reply.json(
            [*found, *({"type": "directory", "oid": "0" * 40, "size": 0, "path": name} for name in folders)]
        )

    @staticmethod
    def describe_entry(path: str, content: bytes) -> dict[str, Any]:
        told = describe(content)
        entry = {"type": "file", "path": path, "size": told["size"], "oid": told["blobId"]}
        if is_large(path):
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return entry

    # --- writing -------------------------------------------------------------------------------------------------

    def create_repository(self, wanted: dict[str, Any], may_write: bool) -> Reply:
        if not may_write:
            return Reply.error(401, "Invalid username or password.")
        repo_id = f"{wanted['organization']}/{wanted['name']}"
        if repo_id in self.repositories:
            return Reply.error(409, "You already created this dataset repo")
        private = wanted.get("private", wanted.get("visibility") == "private")
        self.make_repository(repo_id, private=private)
        return Reply.json({"url": f"{self.loopback.url}/datasets/{repo_id}", "name": repo_id, "id": "0" * 24})

    def answer_preupload(self, repository: HubRepository, revision: str, wanted: dict[str, Any]) -> Reply:
        commit = repository.find(revision)
        if commit is None:
            return Reply.error(404, "Invalid rev id", "RevisionNotFound")
        ignored = commit.files.get(".gitignore", b"").decode().split()
        told = []
        for file in wanted["files"]:
            path = file["path"]
            content = commit.files.get(path)
            oid = None if content is None else self.describe_entry(path, content)["oid"]
            if content is not None and is_large(path):
                oid = hashlib.sha256(content).hexdigest()
            told.append({"path": path, "uploadMode": "lfs" if is_large(path) else "regular",
                         "shouldIgnore": PurePosixPath(path).name in ignored, "oid": oid})  # fmt: skip
        return Reply.json({"files": told})

    def answer_batch(self, repo_id: str, wanted: dict[str, Any]) -> Reply:
        told = []
        for entry in wanted["objects"]:
            oid, size = entry["oid"], entry["size"]
            described: dict[str, Any] = {"oid": oid, "size": size}
            if oid not in self.objects:
                url = f"{self.loopback.url}/lfs/{oid}"
                signed = f"?X-Amz-Signature={SIGNATURE}"
                upload: dict[str, Any] = {"href": f"{url}/whole{signed}", "header": {}}
                if size > PART_BYTES:
                    count = -(-size // PART_BYTES)
                    parts = {str(number): f"{url}/part/{number}{signed}" for number in range(1, count + 1)}
                    upload = {"href": f"{url}/complete", "header": {"chunk_size": str(PART_BYTES), **parts}}
                verify = {"href": f"{self.loopback.url}/datasets/{repo_id}/info/lfs/objects/verify"}
                described["actions"] = {"upload": upload, "verify": verify}
            told.append(described)
        return Reply.json({"transfer": "basic", "objects": told})

    def answer_xet(self, parts: list[str], body: bytes) -> Reply:
        """The storage that hf_xet speaks to, as far as files of one chunk go that are not compressed.

        Chunks come in `xorbs` (a header of eight bytes each: version, 3 of size, kind of compression, 3 of full size),
        and become files when a shard has come that names them.
        """
        if parts[:2] == ["v1", "xorbs"]:
            while len(body) >= 8 and body[0] == 0:
                size = int.from_bytes(body[1:4], "little")
                if body[4] == 0:
                    self.chunks.append(body[8 : 8 + size])
                body = body[8 + size :]
            return Reply.json({"was_inserted": True})
        if parts[:2] == ["v1", "shards"]:
            self.objects.update((hashlib.sha256(chunk).hexdigest(), chunk) for chunk in self.chunks)
            return Reply.json({"result": 1})
        return Reply.error(404, "there is nothing here")

    def answer_storage(self, request: Request, parts: list[str], body: bytes) -> Reply:
        oid, step = parts[0], parts[1]
        if step in ("whole", "part") and SIGNATURE not in request.handler.path:
            return Reply.error(403, "SignatureDoesNotMatch")
        if step == "part":
            self.parts[oid, int(parts[2])] = body
            return Reply(200, b"", {"ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'})
        if step == "complete":
            wanted = json.loads(body)
            body = b"".join(self.parts.get((oid, part["partNumber"]), b"") for part in wanted["parts"])
        if hashlib.sha256(body).hexdigest() != oid:
            return Reply.error(400, "the bytes have another digest")
        self.objects[oid] = body
        return Reply.json({})

    def make_commit(
        self, repository: HubRepository, revision: str, operations: list[dict[str, Any]], create_pr: bool
    ) -> Reply:
        header = operations[0]["value"]
        wanted_parent = header.get("parentCommit")
        if not create_pr and wanted_parent is not None and wanted_parent != repository.refs[revision]:
            return Reply.error(412, "A commit has happened since. Please refresh and try again.")
        base = repository.find(wanted_parent or revision)
        if base is None:
            return Reply.error(404, "Invalid rev id", "RevisionNotFound")
        files = dict(base.files)
        for operation in operations[1:]:
            key, value = operation["key"], operation["value"]
            if key == "deletedFile":
                if files.pop(value["path"], None) is None:
                    return Reply.error(404, "A file with this name doesn't exist", "EntryNotFound")
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                if value["oid"] not in self.objects:
                    return Reply.error(400, "the commit names a large file that was not uploaded")
                files[value["path"]] = self.objects[value["oid"]]
            else:
                return Reply.error(400, f"unknown operation {key}")
        ref = f"refs/pr/{len(repository.titles) + 1}" if create_pr else revision
        oid = repository.add_commit(header["summary"], files, ref, base.oid)
        page = f"{self.loopback.url}/datasets/{repository.repo_id}"
        told: dict[str, Any] = {"success": True, "commitOid": oid, "commitUrl": f"{page}/commit/{oid}"}
        if create_pr:
            repository.titles[ref] = header["summary"]
            told["pullRequestUrl"] = f"{page}/discussions/{ref.rpartition('/')[2]}"
        return Reply.json(told)


@contextmanager
def serve_hub() -> Iterator[LoopbackHub]:
    with serve() as loopback:
        hub = LoopbackHub(loopback)
        loopback.respond = hub.respond
        yield hub


# --- faults -----------------------------------------------------------------------------------------------------


def refuse_from(wanted: int) -> HubFault:
    """An outage: from that request on, everything is answered with 500."""

    def fault(number: int, request: Request, answer: Answer) -> Reply:
        if number < wanted:
            return answer()
        request.read_body()
        return Reply.error(500, "Internal Server Error")

    return fault


def break_off_from(wanted: int) -> HubFault:
    """From that request on, the connection breaks in the middle of what the client sends."""

    def fault(number: int, request: Request, answer: Answer) -> Reply | None:
        if number < wanted:
            return answer()
        request.read_body(share=0.5)
        return None

    return fault


def lose_answer_of(wanted: int, status: int | None = None, for_good: bool = False) -> HubFault:
    """That request is done, and its answer lost, or a 500; with `for_good` nothing is answered well from then on."""

    def fault(number: int, request: Request, answer: Answer) -> Reply | None:
        if number < wanted or (number > wanted and not for_good):
            return answer()
        if number == wanted:
            answer()
        else:
            request.read_body()
        return None if status is None else Reply.error(status, "Internal Server Error")

    return fault


@dataclass
class Hang:
    """Keep that request waiting, though it may be done, and break it off when let go."""

    wanted: int
    done_first: bool
    reached: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, number: int, request: Request, answer: Answer) -> Reply | None:
        if number < self.wanted:
            return answer()
        if number == self.wanted and self.done_first:
            answer()
        self.reached.set()
        while not (self.let_go.wait(0.02) or request.server.closing.is_set()):
            pass
        return None
