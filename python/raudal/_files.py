"""What `get` returns."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional

from ._errors import Failure
from ._table import _count


class SavedFile(NamedTuple):
    """A complete, verified file."""

    path: Path
    """Where it is."""
    url: str
    """The requested URL, without credentials, or the path."""
    bytes: int
    """Its size in bytes."""
    sha256: Optional[str]
    """The SHA-256 of its bytes; None for a file that was there and was not read."""
    skipped: bool
    """Whether it was there already."""
    extracted: Optional[Path]
    """The folder with its members, if they were extracted."""


class Files:
    """The complete files, in input order, and the inputs that failed."""

    files: list[SavedFile]
    """The complete files."""
    failures: list[Failure]
    """One entry for each input that failed."""
    warnings: list[str]
    """What is odd in an archive, or was slow."""
    report: dict[str, Any]
    """The figures of the run: ``wall`` and ``job_time`` in seconds, ``bytes``, ``attempts``..."""

    def __init__(self, outcome: dict[str, Any], failures: list[Failure]) -> None:
        self.files = [
            SavedFile(
                Path(one["path"]),
                one["url"],
                one["bytes"],
                one["sha256"],
                one["skipped"],
                one["extracted"] and Path(one["extracted"]),
            )
            for one in outcome.get("files", [])
        ]
        self.failures = failures
        self.warnings = outcome.get("warnings", [])
        self.report = outcome.get("report", {})

    def __iter__(self) -> Iterator[SavedFile]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> SavedFile:
        return self.files[index]

    def __repr__(self) -> str:
        failed = f", {_count(len(self.failures), 'failed input')}" if self.failures else ""
        return f"<raudal.Files: {_count(len(self.files), 'file')}{failed}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(str(one.path))}</td><td style='text-align:right'>{one.bytes:,}</td></tr>" for one in self.files[:20]
        )
        failed = "".join(f"<li>{escape(failure.message)}</li>" for failure in self.failures[:20])
        return (
            f"<div><table><thead><tr><th>file</th><th>bytes</th></tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{escape(repr(self)[1:-1])}</p>{f'<ul>{failed}</ul>' if failed else ''}</div>"
        )
