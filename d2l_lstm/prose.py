"""English prose that comes with every Python: the standard library's documentation.

The embedded text has 16,263 characters. How predictions improve with the amount of text
needs more, and without a network. The standard library brings more than a million
characters of it: the docstrings of its modules, and the chapters of the language
reference that `help()` shows.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from .text import normalize_text

_SKIPPED = {"test", "tests", "idle_test", "lib2to3", "site-packages", "dist-packages"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _docstrings(path: Path) -> str:
    """All docstrings of a module, in its order; nothing if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is not our code
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ""
    nodes = [node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)]
    nodes.sort(key=lambda node: getattr(node, "lineno", 0))
    found = [ast.get_docstring(node) or "" for node in nodes]
    return "\n\n".join(found)


def _documents(folder: Path) -> Iterator[str]:
    """The documentation module by module and topic by topic, in an order by chance.

    The order depends on the names only (their hashes), so that it is the same
    everywhere, and neighbours in it are no relatives.
    """
    from pydoc_data.topics import topics

    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}
    kept = {n: path for n, path in names.items() if not _SKIPPED & set(n.split("/"))}
    kept |= {f"help({name!r})": text for name, text in topics.items()}
    for name in sorted(kept, key=lambda n: hashlib.sha256(n.encode()).digest()):
        document = kept[name]
        yield document if isinstance(document, str) else _docstrings(document)


def is_prose(paragraph: str) -> bool:
    """Whether a paragraph is made of sentences.

    It has at least eight words, begins with a capital letter, ends with a full stop or
    a colon, and holds no code for the interpreter, no grammar and no ruled line.
    """
    return (
        re.match(r" {0,5}[A-Z]", paragraph) is not None
        and paragraph.rstrip().endswith((".", ":"))
        and not any(mark in paragraph for mark in (">>>", "::", "---", "==="))
        and len(paragraph.split()) >= 8
    )


def said_once(paragraphs: Iterable[str], length: int = 8) -> Iterator[str]:
    """The paragraphs that share no `length` words in a row with an earlier one.

    Documentation copies itself; a text that is to judge must not stand in the text that
    was learnt.

    Source: K. Lee et al. (2022), Deduplicating training data makes language models
    better, ACL.
    """
    seen = set()
    for paragraph in paragraphs:
        words = normalize_text(paragraph, join=" ").split()
        runs = {
            tuple(words[i : i + length]) for i in range(max(1, len(words) - length + 1))
        }
        if not runs & seen:
            seen |= runs
            yield paragraph


def standard_library_prose(num_characters: int = 500_000) -> str:
    """Prose of the standard library's documentation: whole paragraphs, none twice.

    Which modules there are, and what they say, differs a little from one version of
    Python to the next, and so do numbers that are measured on it.

    Args:
        num_characters: stop when there are so many, counted in the form of
            `normalize_text(..., join=" ")`; fewer if there are not so many (there are
            about a million).

    Returns:
        The paragraphs, one after the other, modules in an order by chance.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    paragraphs = (
        paragraph
        for document in _documents(folder)
        for paragraph in re.split(r"\n\s*\n", document)
        if is_prose(paragraph)
    )
    kept, count = [], 0
    for paragraph in said_once(paragraphs):
        if count >= num_characters:
            break
        kept.append(paragraph)
        count += len(normalize_text(paragraph, join=" ")) + 1
    return "\n".join(kept)
