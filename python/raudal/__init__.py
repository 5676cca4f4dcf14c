"""Many files from the web to one table, concurrently and verified.

    import raudal

    t = raudal.table("https://example.org/ITER_[01-32]_2020_csv.zip",
                     where="MUN == 0 and LOC == 0", select=["NOM_ENT", "POBTOT"], types="auto")
    df = t.to_pandas()   # or pl.DataFrame(t), duckdb.sql("from t"), pa.table(t)
    t.failures           # [] or one entry for each input that failed

Every keyword is an option of the command line, with `_` for `-`: `raudal table --help` lists them,
and ``help(raudal.TableOptions)`` here. A list gives several values, `True` turns a switch on, a number
is seconds for a time and bytes for a size. ``RAUDAL_...`` variables count below the keywords.

The functions release the interpreter's lock while they work. Ctrl-C ends them within 0.2 seconds.
"""

from __future__ import annotations

from ._allocator import load as _load

_load()

from ._compare import Comparison, Timeline
from ._errors import Error, Failure, RaudalWarning
from ._files import Files, SavedFile
from ._functions import (
    Batches,
    batches,
    compare,
    get,
    iter_2020,
    serve,
    table,
    table_async,
)
from ._options import (
    CompareOptions,
    GetOptions,
    IterOptions,
    Options,
    ServeOptions,
    TableOptions,
)
from ._origin import Origin
from ._raudal import version as _version
from ._table import Batch, Table

__version__ = _version()

__all__ = [
    "Batch",
    "Batches",
    "CompareOptions",
    "Comparison",
    "Error",
    "Failure",
    "Files",
    "GetOptions",
    "IterOptions",
    "Options",
    "Origin",
    "RaudalWarning",
    "SavedFile",
    "ServeOptions",
    "Table",
    "TableOptions",
    "Timeline",
    "__version__",
    "batches",
    "compare",
    "get",
    "iter_2020",
    "serve",
    "table",
    "table_async",
]
