"""Digest of a Python module's code: its file, and the files that it imports from its own folder, transitively."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path


def digest_code(name: str, origin: str | None) -> str:
    """16 hexadecimal digits of the code of a module.

    Args:
        name: the module's full name.
        origin: its file, as its import spec names it; a module without a source file has a digest of its name alone.
    """
    digest = hashlib.sha256()
    for imported, path in sorted(list_code(name, origin).items()):
        content = path.read_bytes()
        digest.update(f"{imported}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def list_code(name: str, origin: str | None) -> dict[str, Path]:
    """The source files, by module name, of a module and of what it imports from its own folder, transitively.

    The own folder is the one that the module's top-level package or file lies in; for an installed package, it is the
    package alone. Imports are read from the source, also those inside of functions; an import of a name that is
    computed is not found.
    """
    if origin is None or not origin.endswith(".py"):
        return {}
    path = Path(origin).resolve()
    depth = name.count(".") + (path.name == "__init__.py")
    folder = path.parents[depth]
    installed = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib", "stdlib")}
    top = name.partition(".")[0] if folder in installed else None
    found: dict[str, Path] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        file = _find_file(folder, current)
        if current in found or file is None or (top is not None and current.partition(".")[0] != top):
            continue
        found[current] = file
        parent = current.rpartition(".")[0]
        waiting += [parent] if parent else []
        waiting += _list_imports(file, current if file.name == "__init__.py" else parent)
    return found


def _find_file(folder: Path, name: str) -> Path | None:
    place = folder.joinpath(*name.split("."))
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


def _list_imports(file: Path, package: str) -> Iterator[str]:
    """The names of what a file imports, as modules: of `from a import b`, both `a` and `a.b`."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # importing it will say so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join((*above, *((node.module,) if node.module else ())))
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
            else:
                yield from (alias.name for alias in node.names)
