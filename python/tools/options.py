"""Writes raudal/_options.py: the options of the command line as types, with their help.

Run it after an option of the command line has changed: `python tools/options.py`.
"""

from __future__ import annotations

import pathlib
import textwrap

from raudal._errors import keyword, words
from raudal._raudal import options

CLASSES = [
    ("TableOptions", [["table"]], "The options of :func:`raudal.table`: those of ``raudal table``."),
    ("IterOptions", [["iter"]], "The options of :func:`raudal.iter_2020`: those of ``raudal iter``."),
    ("GetOptions", [["get"]], "The options of :func:`raudal.get`: those of ``raudal get``."),
    (
        "CompareOptions",
        [["compare", name] for name in ("iter", "mixed", "database", "files", "requests", "sleep")],
        "The options of :func:`raudal.compare`: those of ``raudal compare WORKLOAD``, for all workloads.",
    ),
    ("ServeOptions", [["serve"]], "The options of :func:`raudal.serve`: those of ``raudal serve``."),
]
# Given by a parameter of the function.
OF_FUNCTIONS = {"GetOptions": {"dir"}, "CompareOptions": {"jobs"}}
TYPES = {"nothing": "bool", "many": "Values", "maybe": "Union[bool, Value]", "one": "Values"}


def text() -> str:
    """Return the text of the file."""
    out = [
        '"""The options of the functions, with their help. Written by tools/options.py."""',
        "",
        "from __future__ import annotations",
        "",
        "import os",
        "from collections.abc import Iterable, Mapping",
        "from datetime import timedelta",
        "from typing import TypedDict, Union",
        "",
        'Value = Union[str, int, float, timedelta, "os.PathLike[str]"]',
        "Values = Union[Value, Iterable[Value], Mapping[str, str]]",
        "",
        "",
        "class Options(TypedDict, total=False):",
        '    """What all options have in common: each may be left out, or be None."""',
    ]
    for name, commands, about in CLASSES:
        out += ["", "", f"class {name}(Options, total=False):", f'    """{about}"""', ""]
        seen = set(OF_FUNCTIONS.get(name, ()))
        for command in commands:
            for option, takes, said in options(command):
                word = keyword(option)
                if word in seen:
                    continue
                seen.add(word)
                said = words(said).replace("\\", "\\\\").replace('"', "'")
                out.append(f"    {word}: {TYPES[takes]}")
                out += textwrap.wrap(f'"""{said}"""', 100, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    path = pathlib.Path(__file__).parent.parent / "raudal" / "_options.py"
    path.write_text(text(), encoding="utf-8")
