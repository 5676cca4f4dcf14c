"""What `compare` returns: the same work at several levels of concurrency."""

from __future__ import annotations

import json
from html import escape
from math import nan
from pathlib import Path
from typing import Any, Union


class Timeline:
    """Which job ran when at each level, as a page. A notebook shows it."""

    def __init__(self, html: str) -> None:
        self.html = html
        """The whole page: it needs no script and no network."""

    def save(self, path: Union[str, Path]) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.html, encoding="utf-8")

    def __repr__(self) -> str:
        return "<raudal.Timeline: a page for a notebook; save(path) writes it>"

    def _repr_html_(self) -> str:
        # A frame, so that the style of the page does not change that of the notebook.
        return (
            f'<iframe sandbox srcdoc="{escape(self.html)}" loading="lazy" title="timeline" '
            'style="width:100%;height:36em;border:1px solid #8886"></iframe>'
        )


class Comparison:
    """The measured levels of a workload. Every run gave the same result."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        self._outcome = outcome
        self.data: dict[str, Any] = json.loads(outcome["json"])
        """All figures, in the schema ``raudal.compare/1``, times in seconds."""

    @property
    def workload(self) -> str:
        """The name of the workload."""
        return str(self.data["workload"])

    @property
    def levels(self) -> list[dict[str, Any]]:
        """The figures of each level: ``jobs``, ``mean_seconds``, ``stddev_seconds``, ``speed_up``..."""
        return list(self.data["levels"])

    @property
    def warnings(self) -> list[str]:
        """Why the figures should be read with care."""
        return [str(warning["text"]) for warning in self.data["warnings"]]

    def speed_up(self, jobs: Union[int, str]) -> float:
        """Return how many times as fast a level is as the baseline, the first one: 1 for itself.

        Not a number where nothing could be measured. Raises KeyError for a level that is not there.
        """
        for level in self.levels:
            if level["jobs"] == jobs:
                known = level["speed_up"]
                return float(known) if known is not None else 1.0 if jobs == self.data["baseline_jobs"] else nan
        raise KeyError(jobs)

    def timeline(self) -> Timeline:
        """Return the page with the figures and the timeline of each level."""
        return Timeline(self._outcome["html"])

    def markdown(self) -> str:
        """Return the figures as a Markdown table."""
        return str(self._outcome["markdown"])

    def csv(self) -> str:
        """Return every run as CSV."""
        return str(self._outcome["csv"])

    def trace(self) -> str:
        """Return a trace for Perfetto or Chrome's tracing page, as JSON."""
        return str(self._outcome["trace"])

    def __str__(self) -> str:
        return str(self._outcome["text"])

    def __repr__(self) -> str:
        levels = ", ".join(str(level["jobs"]) for level in self.levels)
        return f"<raudal.Comparison: {self.workload} at the levels {levels}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
