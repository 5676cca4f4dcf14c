"""The functions of the package."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional, Union

from ._arguments import Sources, arguments, sources_of
from ._compare import Comparison
from ._errors import Error, Failure, RaudalWarning, failures_of, of_failures, of_outcome, words
from ._files import Files
from ._origin import Origin
from ._progress import Progress, Shown, shown
from ._raudal import Run
from ._table import Batch, Table

if TYPE_CHECKING:
    import os

    from typing_extensions import Unpack

    from ._options import CompareOptions, GetOptions, IterOptions, ServeOptions, TableOptions


def table(
    sources: Sources = (), *, strict: bool = False, progress: Progress = None, **options: Unpack[TableOptions]
) -> Table:
    """Make one table of CSV files and Excel sheets, plain, compressed or in archives.

    `sources` are URLs, URL patterns (``[01-32]``, ``{a,b}``) or local files. A path object is always
    one file. `options` are those of ``raudal table``: ``where``, ``select``, ``types``, ``jobs``,
    ``retries``...

        >>> with raudal.serve() as origin:
        ...     t = raudal.table(f"{origin}tiny_[1-3].zip", where="LOC == 0", types="auto")
        >>> len(t)
        6

    `progress` is None for a bar of tqdm, or lines without tqdm; False for nothing; or a function that
    gets each event as a dict, in the schema of ``--progress json``.

    Columns are text unless `types` names others, or is "auto". With "auto" the rows wait in a
    temporary file until all are read. Rows are in input order, whatever came first.

    An input that fails is an entry of ``failures``, and a warning. Raises :class:`raudal.Error` if all
    of them fail, with ``strict=True`` if one does, and for options that are wrong. On Ctrl-C, the
    KeyboardInterrupt has the rows that were complete as its attribute ``table``.
    """
    return _table("table", sources_of(sources), dict(options), strict, progress)


def iter_2020(
    *, strict: bool = False, progress: Progress = None, **options: Unpack[IterOptions]
) -> Table:
    """Make one table of the 32 ITER 2020 census archives of INEGI, by default a row for each state.

        >>> t = raudal.iter_2020(mirror="embedded", select=["NOM_ENT", "POBTOT"], types="auto")
        >>> t.shape
        (32, 2)

    ``mirror="embedded"`` needs no network: the archives are synthetic. `options` are those of
    ``raudal iter``: ``entities``, ``edition``, ``mirror``, ``where``... All else is as for :func:`table`.
    """
    return _table("iter", None, dict(options), strict, progress)


def batches(
    sources: Sources = (), *, strict: bool = False, progress: Progress = False, **options: Unpack[TableOptions]
) -> Batches:
    """Read inputs as :func:`table` does, and give their rows batch by batch, in bounded memory.

        >>> with raudal.serve() as origin:
        ...     rows = sum(len(batch) for batch in raudal.batches(f"{origin}tiny_[1-3].zip"))
        >>> rows
        12

    A batch has at most 65,536 rows, or some 4 MiB, and there is always at least one row in it. While
    nobody asks for the next one, the transfers wait. Leaving the loop early ends them; so does ``close()``
    or a `with`. ``types="auto"`` gives the first batch only after all inputs are read.

    Raises at the end of the rows what :func:`table` raises. ``failures`` has those that failed.
    """
    if options.get("locked"):
        raise TypeError("batches() cannot take rows back, as locked=True asks for: use table()")
    return Batches(sources_of(sources), dict(options), strict, progress)


def get(
    sources: Sources = (),
    folder: Union[str, os.PathLike[str]] = ".",
    *,
    strict: bool = False,
    progress: Progress = None,
    **options: Unpack[GetOptions],
) -> Files:
    """Download files to a folder. A file gets its name once it is verified.

        >>> with raudal.serve() as origin:
        ...     files = raudal.get(f"{origin}tiny_[1-3].zip", folder)
        >>> [file.path.name for file in files]
        ['tiny_1.zip', 'tiny_2.zip', 'tiny_3.zip']

    `options` are those of ``raudal get``: ``checksums``, ``resume`` (``--continue``), ``extract``,
    ``skip_existing``, ``overwrite``... `progress`, failures and Ctrl-C are as for :func:`table`: files that are
    complete stay.
    """
    args = ["--dir", _path(folder), *arguments(("get",), dict(options), "get")]
    run, show = _start("get", [*args, "--", *sources_of(sources)], progress, "get")
    outcome = _wait(run, show)
    failures = failures_of(outcome["failures"])
    files = Files(outcome, failures)
    _judge(outcome, failures, strict, None, 3)
    return files


def compare(
    workload: str = "iter",
    *,
    jobs: Union[None, int, str, Iterable[Union[int, str]]] = None,
    progress: Progress = None,
    **options: Unpack[CompareOptions],
) -> Comparison:
    """Run a workload at several levels of concurrency, and compare their times fairly.

        >>> c = raudal.compare("sleep", jobs=[1, 10], sleeps=20, latency="2ms", runs=2)
        >>> c.speed_up(10) > 3
        True

    `workload` is ``iter``, ``mixed``, ``database``, ``files``, ``requests`` or ``sleep``. `jobs` are the levels,
    by default 1 and 10. `options` are those of ``raudal compare WORKLOAD``: ``runs``, ``warmup``,
    ``latency``... Warm-up runs are not counted, the levels take turns, and all must give the same
    result. ``c.timeline()`` shows itself in a notebook.

    Raises :class:`raudal.Error` if a job fails or the results differ.
    """
    chosen: dict[str, Any] = {"jobs": jobs, **options}
    try:
        args = arguments(("compare", workload), chosen, "compare")
    except ValueError:
        raise ValueError(f"no such workload: {workload}") from None
    run, show = _start("compare", [workload, *args], progress, f"compare {workload}")
    return Comparison(_wait(run, show))


def serve(**options: Unpack[ServeOptions]) -> Origin:
    """Start the embedded origin: a server on this machine with synthetic archives, to try things.

        >>> with raudal.serve(latency="80ms", fault="503:p=0.1") as origin:
        ...     t = raudal.table(f"{origin}tiny_[1-9].zip", retry_delay="1ms")
        >>> t.failures
        []

    `options` are those of ``raudal serve``: ``latency``, ``bandwidth_per_connection``, ``fault``, ``listen``...
    It ends with its `with`, with ``close()``, or with the program.
    """
    return Origin(arguments(("serve",), dict(options), "serve"))


async def table_async(
    sources: Sources = (), *, strict: bool = False, progress: Progress = False, **options: Unpack[TableOptions]
) -> Table:
    """Make a table as :func:`table` does, without blocking the event loop.

    If its task is cancelled, the run ends with it.
    """
    import asyncio

    args = [*arguments(("table",), dict(options), "table_async"), "--", *sources_of(sources)]
    run, show = _start("table", args, progress, "table")
    wait = 0.001
    try:
        while not run.poll(show.lines):
            await asyncio.sleep(wait)
            wait = min(wait * 2, 0.02)
    except BaseException:
        run.cancel()
        raise
    finally:
        show.close()
    return _finish(run, strict, 2)


class Batches:
    """The rows of a table, batch by batch. An iterator; see :func:`raudal.batches`."""

    failures: list[Failure]
    """The inputs that failed; known at the end of the rows."""
    warnings: list[str]
    """What was dropped, changed or guessed in the inputs; known at the end of the rows."""

    def __init__(self, sources: list[str], options: dict[str, Any], strict: bool, progress: Progress) -> None:
        args = arguments(("table",), options, "batches")
        self._run, self._show = _start("table", [*args, "--", *sources], progress, "batches")
        self._strict = strict
        self._ended = False
        self.failures = []
        self.warnings = []

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._ended:
            raise StopIteration
        try:
            batch = self._run.next(self._show.lines)
        except BaseException:
            self.close()
            raise
        if batch is not None:
            return Batch(batch)
        self._ended = True
        self._show.close()
        outcome = _outcome(self._run)
        self.failures = failures_of(outcome["failures"])
        self.warnings = [words(warning) for warning in outcome["warnings"]]
        _judge(outcome, self.failures, self._strict, None, 3)
        raise StopIteration

    def close(self) -> None:
        """End the transfers. A second call does nothing."""
        if not self._ended:
            self._ended = True
            self._show.close()
            self._run.stop()

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _table(
    command: str, sources: Optional[list[str]], options: dict[str, Any], strict: bool, progress: Progress
) -> Table:
    args = arguments((command,), options, "table" if sources is not None else "iter_2020")
    if sources is not None:
        args += ["--", *sources]
    run, show = _start(command, args, progress, command)
    try:
        run.collect(show.lines)
    except KeyboardInterrupt as stop:
        stop.table = _partial(run)  # type: ignore[attr-defined]
        raise
    finally:
        show.close()
    return _finish(run, strict, 4)


def _start(command: str, args: list[str], progress: Progress, name: str) -> tuple[Run, Shown]:
    show = shown(progress, name)
    return Run(command, args, show.style), show


def _wait(run: Run, show: Shown) -> dict[str, Any]:
    try:
        run.collect(show.lines)
    finally:
        show.close()
    return _outcome(run)


def _outcome(run: Run) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads(run.outcome() or "{}")
    if "error" in outcome:
        raise of_outcome(outcome["error"])
    return outcome


def _finish(run: Run, strict: bool, level: int) -> Table:
    outcome = _outcome(run)
    failures = failures_of(outcome["failures"])
    rows = run.kept()
    table = Table(rows, outcome, failures)
    table.warnings = [words(warning) for warning in table.warnings]
    table.notes = [words(note) for note in table.notes]
    withheld = not outcome["written"] and outcome["succeeded"] > 0
    _judge(outcome, failures, strict or withheld, None if withheld else table, level)
    return table


def _partial(run: Run) -> Optional[Table]:
    """The rows that were complete when the run was interrupted."""
    outcome = json.loads(run.outcome() or "{}")
    if "error" in outcome or "failures" not in outcome:
        return None
    return Table(run.kept(), outcome, failures_of(outcome["failures"]))


def _judge(outcome: dict[str, Any], failures: list[Failure], strict: bool, table: Optional[Table], level: int) -> None:
    """Raise if there is no result, and warn of what is not in it."""
    for warning in outcome["warnings"]:
        warnings.warn(words(warning), RaudalWarning, stacklevel=level)
    unfinished = len(outcome["unfinished"])
    total = outcome["succeeded"] + len(failures) + unfinished
    if failures and (strict or not outcome["succeeded"]):
        raise of_failures(failures, total, table)
    if outcome["report"].get("stopped"):
        done = outcome["succeeded"] + len(failures)
        raise Error(f"the run was stopped after {done} of its inputs", "deadline", None, failures, table)
    if failures:
        warnings.warn(str(of_failures(failures, total)), RaudalWarning, stacklevel=level)


def _path(folder: Union[str, os.PathLike[str]]) -> str:
    import os

    return os.fspath(folder)
