"""The secret that orders hidden options: kept in `{root}/{dataset}/private/`, for its owner alone, never printed.

It is asked for again with each version, so that options keep their order: a changed order would make old replies by
letter wrong without anybody noticing.
"""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ivbench_data.atomic_files import write_atomically, write_bytes
from ivbench_data.errors import StorageError, UsageError
from ivbench_data.workspace import Workspace

MIN_SECRET_BYTES: Final = 16
MIN_SECRET_VARIETY: Final = 6
"""So many different bytes at least: a row of zeros is no secret."""

MAX_SECRET_BYTES: Final = 4096


@dataclass(frozen=True)
class HidingSecret:
    """A secret, and where it is kept.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> plan = iv.plan_splits(dataset)
        >>> options = iv.PublishOptions(hidden=("test",))
        >>> iv.publish_dataset(dataset, None, "out", plan, options).secret.path.as_posix()
        'data/tiny/private/secret'
    """

    value: bytes = field(repr=False)
    """The secret itself."""
    path: Path
    """The private file that holds it."""
    is_new: bool
    """Whether it was made just now."""
    warnings: tuple[str, ...] = ()
    """What has changed by it, in sentences."""


def check_secret(secret: bytes) -> None:
    """Let pass what can be a secret.

    Raises:
        UsageError: it is too short, or always the same byte; the message does not hold it.
    """
    if len(secret) < MIN_SECRET_BYTES or len(set(secret)) < MIN_SECRET_VARIETY:
        raise UsageError(
            f"the secret has {len(secret)} bytes, {len(set(secret))} different ones; at least {MIN_SECRET_BYTES} and "
            f"{MIN_SECRET_VARIETY} are needed. Make one with: openssl rand -hex 32"
        )


def keep_secret(workspace: Workspace, given: Path | None = None) -> HidingSecret:
    """The dataset's secret: from the file that is given, else the one that is kept, else a new one of 32 random bytes.

    Space around it in a file does not count. It is kept in `private/secret`; what it takes the place of is kept beside
    it, as `secret-1` and so on.

    Raises:
        UsageError: the file cannot be read, or does not hold a secret.
        StorageError: the private folder cannot be written.
    """
    path = workspace.private / "secret"
    kept = _read_secret(path) if path.exists() else None
    secret = kept if given is None else _read_secret(given)
    is_new = secret is None
    if secret is None:
        secret = secrets.token_hex(32).encode()
    if kept is not None and hmac.compare_digest(secret, kept):
        return HidingSecret(secret, path, is_new=False)
    make_private_folder(workspace)
    warnings: tuple[str, ...] = ()
    if kept is not None:
        aside = next(free for n in range(1, 10_000) if not (free := path.with_name(f"secret-{n}")).exists())
        _write_secret(aside, kept)
        warnings = (
            "the secret is another than before: the options of hidden questions change their order, and submissions "
            f"by option number or letter for an earlier version no longer fit. The old one is in {aside}",
        )
    if is_new and not _write_first(path, secret):
        return HidingSecret(_read_secret(path), path, is_new=False)
    if not is_new:
        _write_secret(path, secret)
    return HidingSecret(secret, path, is_new, warnings)


def make_private_folder(workspace: Workspace) -> Path:
    """The dataset's folder for what is never published: only its owner may read it, and git ignores it.

    Raises:
        StorageError: it cannot be made.
    """
    folder = workspace.private
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StorageError.from_os_error(error, folder) from error
    if not (folder / ".gitignore").exists():
        write_bytes(folder / ".gitignore", b"*\n")
    return folder


def _write_secret(path: Path, secret: bytes) -> None:
    with write_atomically(path, mode=0o600) as file:
        file.write(secret + b"\n")


def _write_first(path: Path, secret: bytes) -> bool:
    """Whether it was written; not when another process was faster, whose secret must not be lost."""
    own = path.with_name(f"secret-{secrets.token_hex(6)}")
    try:
        _write_secret(own, secret)
        os.link(own, path)
    except FileExistsError:
        return False
    except OSError:
        _write_secret(path, secret)  # a file system without second names
    finally:
        own.unlink(missing_ok=True)
    return True


def _read_secret(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES + 1).strip()
    except OSError as error:
        raise UsageError(f"cannot read the secret in {path}: {error.strerror or error}") from error
    if len(secret) > MAX_SECRET_BYTES:
        raise UsageError(f"{path} is longer than {MAX_SECRET_BYTES} bytes: it is not a secret")
    check_secret(secret)
    return secret
