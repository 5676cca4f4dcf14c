"""Keywords of a function to arguments of the command line."""

from __future__ import annotations

import difflib
import os
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Iterable, Union

from ._errors import keyword
from ._raudal import options as _options

Source = Union[str, "os.PathLike[str]"]
Sources = Union[Source, Iterable[Source]]

_OF_PATTERNS = str.maketrans({c: "\\" + c for c in "\\[]{}"})


def arguments(command: tuple[str, ...], keywords: dict[str, Any], given: str) -> list[str]:
    """Return the arguments for keywords. `given` names the function in errors."""
    known = _known(command)
    found: list[str] = []
    for name, value in keywords.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            cure = f": did you mean {near[0]}?" if near else ""
            raise TypeError(f"{given}() has no option {name!r}{cure}")
        if value is not None:
            option, takes = known[name]
            found += _given(name, option, takes, value)
    return found


def sources_of(sources: Sources) -> list[str]:
    """Return sources as text. A path object is one file, whatever brackets its name has."""
    if isinstance(sources, (str, os.PathLike)):
        sources = [sources]
    listed = []
    for source in sources:
        if isinstance(source, str):
            listed.append(source)
        elif isinstance(source, os.PathLike):
            listed.append(os.fspath(source).translate(_OF_PATTERNS))
        else:
            raise TypeError(f"a source is a text or a path, not {type(source).__name__}")
    return listed


@lru_cache(maxsize=None)
def _known(command: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    return {keyword(name): (name, takes) for name, takes, _ in _options(list(command))}


def _given(name: str, option: str, takes: str, value: Any) -> list[str]:
    if takes == "nothing" or (takes == "maybe" and isinstance(value, bool)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {value!r}")
        return [f"--{option}"] if value else []
    if isinstance(value, bool):
        raise TypeError(f"{name} takes a value, not {value!r}")
    if isinstance(value, dict):
        value = [f"{_quoted(str(key))}:{of}" for key, of in value.items()]
    if isinstance(value, (str, os.PathLike)) or not hasattr(value, "__iter__"):
        return [f"--{option}={_text(name, value)}"]
    texts = [_text(name, one) for one in value]
    if takes == "many":
        return [f"--{option}={text}" for text in texts]
    return [f"--{option}={','.join(texts)}"]


def _text(name: str, value: Any) -> str:
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, float):
        # Without an exponent, which the command line does not know.
        return format(Decimal(repr(float(value))), "f")
    # Numbers of numpy as well.
    if isinstance(value, (str, int)) or hasattr(value, "__index__") or hasattr(value, "__float__"):
        return str(value)
    raise TypeError(f"{name} takes a text or a number, not {type(value).__name__}")


def _quoted(name: str) -> str:
    """A name with a comma or a colon stands in quotes in `types`."""
    special = any(c in name for c in ',:"`') or name != name.strip()
    return '"' + name.replace('"', '""') + '"' if special else name
