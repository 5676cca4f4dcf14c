"""Times the notebooks' code and raudal's on the same archives, in one run.

    python benches/python/measure.py [RUNS]

Needs raudal, pandas, polars, duckdb and pyarrow. The embedded origin serves 32 archives from a process of its
own, over two links: `lan` (unshaped) and `far` (200 ms, 512 KiB/s a connection). The ways take turns; the
table has medians, and each way's ratio to the command line.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from urllib.request import urlopen

KEYS = range(1, 33)
WHERE = "MUN == 0 and LOC == 0"


def url(base: str, key: int) -> str:
    return f"{base}ITER_{key:02}_2020_csv.zip"


def csv_of(source: str) -> bytes:
    with urlopen(source) as response:
        archive = zipfile.ZipFile(io.BytesIO(response.read()))
    return archive.read(archive.namelist()[0])


def pandas_one(source: str):
    import pandas as pd

    # An archive has a note beside its table, so `read_csv` cannot take its address.
    return pd.read_csv(io.BytesIO(csv_of(source))).query(WHERE)


def pandas_loop(base: str) -> int:
    import pandas as pd

    return len(pd.concat([pandas_one(url(base, key)) for key in KEYS]))


def pandas_pool(base: str) -> int:
    import pandas as pd

    with get_context("fork").Pool(10) as pool:
        return len(pd.concat(pool.map(pandas_one, [url(base, key) for key in KEYS])))


def polars_threads(base: str) -> int:
    import polars as pl

    def one(key: int):
        frame = pl.read_csv(csv_of(url(base, key)), infer_schema=False)
        return frame.filter((pl.col("MUN").cast(pl.Int32) == 0) & (pl.col("LOC").cast(pl.Int32) == 0))

    with ThreadPoolExecutor(32) as threads:
        return pl.concat(threads.map(one, KEYS)).height


def duckdb_threads(base: str) -> int:
    import duckdb

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(32) as threads:

        def one(key: int) -> None:
            with open(f"{folder}/{key:02}.csv", "wb") as file:
                file.write(csv_of(url(base, key)))

        list(threads.map(one, KEYS))
        rows = duckdb.sql(
            f"select * from read_csv('{folder}/*.csv', all_varchar = true, header = true) "
            "where MUN::int = 0 and LOC::int = 0"
        )
        return len(rows.fetchall())


def raudal_module(base: str) -> int:
    import raudal

    table = raudal.table([url(base, key) for key in KEYS], where=WHERE, jobs=32, progress=False)
    return len(table.to_pandas())


def raudal_command(base: str) -> int:
    command = os.path.join(os.path.dirname(sys.executable), "raudal")
    sources = [url(base, key) for key in KEYS]
    out = subprocess.run(
        [command, "table", *sources, "--where", WHERE, "-j", "32", "-q"], capture_output=True, check=True
    )
    return out.stdout.count(b"\n") - 1


WAYS = [
    ("`raudal table`, the command", raudal_command),
    ("`raudal.table(...).to_pandas()`", raudal_module),
    ("polars, 32 threads", polars_threads),
    ("duckdb, 32 threads", duckdb_threads),
    ("pandas, `Pool(10)`", pandas_pool),
    ("pandas in a loop", pandas_loop),
]
LINKS = [("lan", []), ("far", ["--latency", "200ms", "--bandwidth-per-connection", "512KiB"])]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    command = os.path.join(os.path.dirname(sys.executable), "raudal")
    for name, shape in LINKS:
        server = subprocess.Popen([command, "serve", *shape], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        base = server.stdout.readline().strip()
        times: dict[str, list[float]] = {way: [] for way, _ in WAYS}
        try:
            raudal_command(base)  # the origin makes its archives
            for _ in range(runs):
                for way, work in WAYS:
                    begin = time.perf_counter()
                    rows = work(base)
                    times[way].append(time.perf_counter() - begin)
                    assert rows == 32, (way, rows)
        finally:
            server.terminate()
            server.wait()
        first = statistics.median(times[WAYS[0][0]])
        print(f"\n| `{name}` | median | ratio |\n|---|--:|--:|")
        for way, _ in WAYS:
            median = statistics.median(times[way])
            print(f"| {way} | {median:.2f} s | {median / first:.2f} |")


if __name__ == "__main__":
    main()
