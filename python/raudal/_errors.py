"""What can go wrong, in the words of Python."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Optional

_SETTING = re.compile(r"\[`([a-z_]+)`\]")
_OPTION = re.compile(r"'?--([a-z][a-z0-9-]*)(?:[ =]<[^>']*>)?'?")


def words(text: str) -> str:
    """Name settings and options as keywords: ``[`max_members`]`` and ``--max-members`` alike."""
    text = _SETTING.sub(lambda found: keyword(found[1]) + "=", text)
    return _OPTION.sub(lambda found: keyword(found[1]) + "=", text)


def keyword(name: str) -> str:
    """Return the keyword for an option: `continue` is a word of Python's own."""
    name = name.replace("-", "_")
    return "resume" if name == "continue" else name


class Failure(NamedTuple):
    """An input that failed, after all its attempts."""

    source: str
    """The URL, without credentials, or the path."""
    kind: str
    """What went wrong, in one word: ``status``, ``timeout``, ``checksum``, ``column``..."""
    message: str
    """What went wrong and where."""
    attempts: int
    """How many attempts there were."""
    hint: Optional[str] = None
    """What may help."""
    may_help: bool = False
    """Whether another run may succeed."""


class RaudalWarning(UserWarning):
    """Something in an input was dropped, changed or guessed, or an input failed."""


class Error(Exception):
    """A run has no result, or with ``strict=True`` not the whole one.

    Its text says what went wrong, where, and what may help.
    """

    kind: str
    """What went wrong, in one word: ``usage``, ``status``, ``deadline``, ``io``..."""
    hint: Optional[str]
    """What may help."""
    failures: list[Failure]
    """The inputs that failed; empty if the run itself failed."""
    table: Any
    """The :class:`raudal.Table` of the inputs that succeeded, or None."""

    def __init__(
        self,
        message: str,
        kind: str = "internal",
        hint: Optional[str] = None,
        failures: Optional[list[Failure]] = None,
        table: Any = None,
    ) -> None:
        super().__init__(message if hint is None else f"{message}\n  hint: {hint}")
        self.kind = kind
        self.hint = hint
        self.failures = failures or []
        self.table = table


def of_outcome(problem: dict[str, Any]) -> Error:
    """Return the error that a run ended with."""
    hint = problem.get("hint")
    return Error(words(problem["message"]), problem["kind"], hint and words(hint))


def failures_of(listed: list[dict[str, Any]]) -> list[Failure]:
    """Return the failures of an outcome."""
    return [
        Failure(
            one["source"],
            one["kind"],
            words(one["message"]),
            one["attempts"],
            one["hint"] and words(one["hint"]),
            one["may_help"],
        )
        for one in listed
    ]


def of_failures(failures: list[Failure], total: int, table: Any = None) -> Error:
    """Return the error for inputs that failed. Its kind is theirs, if they share one."""
    first = failures[0]
    kinds = {failure.kind for failure in failures}
    text = f"{counted(len(failures), total)} failed"
    text += f": {first.message}" if len(failures) == 1 else f", the first: {first.message}"
    return Error(text, first.kind if len(kinds) == 1 else "several", first.hint, failures, table)


def counted(some: int, total: int) -> str:
    """1 of 1 input, 2 of 32 inputs."""
    return f"{some:,} of {total:,} input{'' if total == 1 else 's'}"
