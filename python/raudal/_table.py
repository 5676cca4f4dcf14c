"""A table: Arrow record batches, and what was not in them."""

from __future__ import annotations

from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING, Any, Optional

from ._errors import Failure
from ._raudal import Batches as _Batches

if TYPE_CHECKING:
    import pandas
    import polars

_SHOWN_ROWS = 10
_SHOWN_COLUMNS = 20
_DAY_ZERO = date(1970, 1, 1)


class Batch:
    """Some rows of a table, as Arrow record batches. It does not change.

    Any library that reads the Arrow C stream takes it: ``pl.DataFrame(b)``, ``pa.table(b)``,
    ``duckdb.sql("from b")``. No version of pyarrow is needed for that.

    Text columns have an empty text for an empty cell; columns of another type have a null.
    """

    _batches: _Batches

    def __init__(self, batches: _Batches) -> None:
        self._batches = batches

    def __arrow_c_schema__(self) -> object:
        return self._batches.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object:
        return self._batches.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._batches)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._batches.columns()

    @property
    def types(self) -> dict[str, str]:
        """The type of each column: ``text``, ``int``, ``float`` or ``date``."""
        return dict(zip(self._batches.columns(), self._batches.types()))

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and of columns."""
        return len(self), len(self._batches.columns())

    @property
    def nbytes(self) -> int:
        """The bytes of memory that the rows take."""
        return self._batches.nbytes()

    def column(self, name: str) -> list[Any]:
        """Return the cells of a column: `str`, `int`, `float` or `datetime.date`, and None.

        Raises KeyError for a name that is not there. For many rows, an Arrow library is faster.
        """
        return self._cells(self._index(name), 0, len(self))

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a DataFrame.

        Text is what this version of pandas makes of text. Whole numbers are ``int64``, or ``Int64``
        in a column with missing cells, so that none is rounded. Dates are ``datetime64``. With pyarrow the
        rows are not copied cell by cell; without it they are.
        """
        import pandas

        try:
            import pyarrow
        except ImportError:
            return self._to_pandas_by_cells(pandas)
        table = pyarrow.table(self)
        frame = table.to_pandas(date_as_object=False)
        for index, (name, of_type) in enumerate(self.types.items()):
            if of_type == "int" and self._batches.nulls(index) > 0:
                frame[name] = table.column(index).to_pandas(types_mapper=lambda _: pandas.Int64Dtype())
        return frame

    def to_polars(self) -> polars.DataFrame:
        """Return the rows as a polars DataFrame."""
        import polars

        return polars.DataFrame(self)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<raudal.{type(self).__name__}: {_count(rows, 'row')}, {_count(columns, 'column')}{self._aside()}>"

    def _repr_html_(self) -> str:
        names, rows = self.columns, len(self)
        shown = names[:_SHOWN_COLUMNS]
        head = "".join(f"<th>{escape(name)}</th>" for name in shown) + "<th>…</th>" * (len(names) > len(shown))
        cells = [self._cells(index, 0, _SHOWN_ROWS) for index in range(len(shown))]
        body = []
        for row in zip(*cells):
            line = "".join(_cell(cell) for cell in row) + "<td>…</td>" * (len(names) > len(shown))
            body.append(f"<tr>{line}</tr>")
        more = "" if rows <= _SHOWN_ROWS else f", the first {_SHOWN_ROWS} shown"
        return (
            f"<div><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
            f"<p>{_count(rows, 'row')}, {_count(len(names), 'column')}{more}</p>{self._html_aside()}</div>"
        )

    def _aside(self) -> str:
        return ""

    def _html_aside(self) -> str:
        return ""

    def _index(self, name: str) -> int:
        try:
            return self._batches.columns().index(name)
        except ValueError:
            raise KeyError(name) from None

    def _cells(self, index: int, start: int, count: int) -> list[Any]:
        cells = self._batches.cells(index, start, count)
        if self._batches.types()[index] == "date":
            return [cell if cell is None else _DAY_ZERO + timedelta(days=cell) for cell in cells]  # type: ignore[arg-type]
        return cells

    def _to_pandas_by_cells(self, pandas: Any) -> Any:
        columns = {}
        for index, (name, of_type) in enumerate(self.types.items()):
            cells = self._batches.cells(index, 0, len(self))
            if of_type == "int":
                columns[name] = pandas.Series(cells, dtype="Int64" if self._batches.nulls(index) else "int64")
            elif of_type == "float":
                columns[name] = pandas.Series(cells, dtype="float64")
            elif of_type == "date":
                days = pandas.Series(cells, dtype="float64")
                columns[name] = pandas.to_datetime(days, unit="D").astype("datetime64[ms]")
            else:
                columns[name] = pandas.Series(cells, dtype="str" if int(pandas.__version__.split(".")[0]) > 2 else object)
        return pandas.DataFrame(columns)


class Table(Batch):
    """The rows of all inputs that succeeded, in input order, and what became of the others."""

    failures: list[Failure]
    """One entry for each input that failed."""
    warnings: list[str]
    """What was dropped, changed or guessed in the inputs."""
    notes: list[str]
    """What was found in the inputs, such as encodings and types."""
    report: dict[str, Any]
    """The figures of the run: ``wall`` and ``job_time`` in seconds, ``bytes``, ``attempts``..."""
    rows_read: int
    """How many rows the inputs have."""

    def __init__(self, batches: _Batches, outcome: dict[str, Any], failures: list[Failure]) -> None:
        super().__init__(batches)
        self.failures = failures
        self.warnings = outcome.get("warnings", [])
        self.notes = outcome.get("notes", [])
        self.report = outcome.get("report", {})
        self.rows_read = outcome.get("rows_read", 0)

    def _aside(self) -> str:
        return f", {_count(len(self.failures), 'failed input')}" if self.failures else ""

    def _html_aside(self) -> str:
        if not self.failures:
            return ""
        listed = "".join(f"<li>{escape(failure.message)}</li>" for failure in self.failures[:_SHOWN_ROWS])
        return f"<details open><summary>{_count(len(self.failures), 'failed input')}</summary><ul>{listed}</ul></details>"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _cell(cell: Any) -> str:
    if cell is None:
        return "<td>·</td>"
    text = str(cell)
    side = "" if isinstance(cell, str) else ' style="text-align:right"'
    return f"<td{side}>{escape(text if len(text) <= 80 else text[:79] + '…')}</td>"
