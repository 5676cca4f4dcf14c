"""How a run is shown: tqdm's bars, plain lines, a function that gets events, or not at all."""

from __future__ import annotations

import json
import sys
from typing import Any, Callable, Optional, Union

Progress = Union[None, bool, Callable[[dict[str, Any]], object]]


class Shown:
    """Shows one run. `style` is what its lines are; `lines` takes them; `close` ends it."""

    style = "none"
    lines: Optional[Callable[[str], object]] = None

    def close(self) -> None:
        """End the display."""


class Events(Shown):
    """Calls a function with each event, as a dict."""

    style = "json"

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        self._tell = tell
        self.lines = self._lines

    def _lines(self, text: str) -> None:
        for line in text.splitlines():
            self._tell(json.loads(line))


class Plain(Shown):
    """Writes lines to standard error, as the command does where there is no terminal."""

    style = "plain"

    def __init__(self) -> None:
        self.lines = self._lines

    def _lines(self, text: str) -> None:
        # A notebook has replaced the stream.
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


class Bar(Events):
    """A bar of tqdm: the inputs that are done, and the bytes that came."""

    def __init__(self, tqdm: Any, name: str) -> None:
        super().__init__(self._event)
        self._tqdm, self._name = tqdm, name
        self._bar: Any = None
        self._bytes = 0

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "run_started":
            self._finish()
            self._bytes = 0
            self._bar = self._tqdm(total=event["total"], desc=self._name, unit=" inputs", leave=False)
        elif kind == "message":
            self._tqdm.write(event["text"], file=sys.stderr)
        elif self._bar is None:
            return
        elif kind in ("advanced", "attempt_failed"):
            self._bytes += event["bytes"] if kind == "advanced" else -event["bytes"]
            self._bar.set_postfix_str(_size(self._bytes), refresh=False)
        elif kind == "job_finished":
            self._bar.update()
        elif kind == "run_finished":
            self._finish()

    def _finish(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def close(self) -> None:
        self._finish()


def shown(progress: Progress, name: str) -> Shown:
    """Return the display that a caller asks for."""
    if callable(progress):
        return Events(progress)
    if progress is False:
        return Shown()
    try:
        return Bar(_tqdm(), name)
    except ImportError:
        return Plain()


def _tqdm() -> Any:
    """Return the kind of bar for this terminal or notebook."""
    if "tqdm.auto" not in sys.modules:
        import warnings

        # Only once: it changes the filters of all threads.
        with warnings.catch_warnings():
            # Without ipywidgets, tqdm warns that it shows text instead.
            warnings.simplefilter("ignore")
            import tqdm.auto
    from tqdm.auto import tqdm

    return tqdm


def _size(count: int) -> str:
    size = float(max(count, 0))
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            break
        size /= 1000
    else:
        unit = "TB"
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
