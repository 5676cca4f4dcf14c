"""The embedded origin: a test server with synthetic archives."""

from __future__ import annotations

import json
from typing import Any

from ._errors import of_outcome
from ._raudal import Server


class Origin:
    """A running server on this machine. Use it with `with`, or call :meth:`close`."""

    def __init__(self, args: list[str]) -> None:
        server, problem = Server.start(args)
        if server is None:
            raise of_outcome(json.loads(problem or "{}")["error"])
        self._server = server

    @property
    def url(self) -> str:
        """The URL of its index, with a final slash: a name may follow."""
        return self._server.url

    def stats(self) -> dict[str, int]:
        """Return what it has counted: ``requests``, ``faults``, ``bytes``, ``peak_in_flight``...

        Empty once it is closed.
        """
        return self._server.stats()

    def close(self) -> None:
        """Stop it and end its connections. A second call does nothing."""
        self._server.stop()

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"<raudal.Origin: {self.url}>"
