"""Times `raudal table` beside xan, qsv, DuckDB and polars on local tables, in one run.

    python3 benches/tables/generate.py DIR
    python3 benches/tables/measure.py DIR [RUNS] [--only WORK]

Each program runs as a process of its own, its start included. The programs take turns, RUNS times (5 by default). The
table has medians, the spread, the processor time, the peak memory, and the ratio to raudal. A program that is not there
is left out. RAUDAL, XAN, QSV and CSV_FILTER (built in `benches/tables/csv_filter`) name other programs than those on
the path; RAUDAL_BEFORE names an older raudal.
DuckDB and polars are Python packages of the Python that runs this.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WHERE = "MUN == 0 and LOC == 0"


def program(name: str) -> str | None:
    return os.environ.get(name.upper()) or shutil.which(name)


def python(module: str, code: str, *arguments: str) -> list[str] | None:
    return [sys.executable, "-c", code, *arguments] if importlib.util.find_spec(module) else None


def duckdb(query: str) -> list[str] | None:
    return python("duckdb", "import duckdb, sys; duckdb.sql(sys.argv[1])", query)


def polars(code: str) -> list[str] | None:
    return python("polars", f"import polars as pl; {code}")


def works(folder: Path, out: Path) -> dict[str, dict[str, list[str] | None]]:
    """The commands of each work, the first one raudal's."""
    raudal = [program("raudal") or "raudal", "table", "-q", "--overwrite"]
    before = [os.environ["RAUDAL_BEFORE"], *raudal[1:]] if "RAUDAL_BEFORE" in os.environ else None
    xan, qsv, csv = program("xan"), program("qsv"), program("csv_filter")

    def copy(name: str, where: str, to: str = "kept.csv", options: str = "HEADER") -> list[str] | None:
        source = f"read_csv('{folder / name}', all_varchar = true, header = true)"
        return duckdb(f"COPY (SELECT * FROM {source} {where}) TO '{out / to}' ({options})")

    def filtered(name: str, where: str, xan_where: str, duck: str, pl: str) -> dict[str, list[str] | None]:
        ours = ["--where", where, "-o", str(out / "raudal.csv"), str(folder / name)]
        scan = f"pl.scan_csv('{folder / name}', infer_schema=False)"
        column, value = pl.split("&")[0].split("=")
        return {
            "raudal": [*raudal, *ours],
            "raudal before": before and [*before, *ours],
            "xan filter": xan and [xan, "filter", xan_where, str(folder / name), "-o", str(out / "xan.csv")],
            "xan parallel": xan and [xan, "filter", "-p", xan_where, str(folder / name), "-o", str(out / "xan.csv")],
            "csv crate": csv and [csv, str(folder / name), str(out / "crate.csv"), *pl.split("&")],
            "qsv search": qsv and [qsv, "search", "--select", column, f"^{value}$", str(folder / name), "-o", str(out / "qsv.csv")],
            "DuckDB": copy(name, duck),
            "polars": polars(f"{scan}.filter({pl_filter(pl)}).sink_csv('{out / 'polars.csv'}')"),
        }

    def pl_filter(text: str) -> str:
        pairs = [pair.split("=") for pair in text.split("&")]
        return " & ".join(f"(pl.col('{name}').cast(pl.Int64, strict=False) == {value})" for name, value in pairs)

    parquet = str(out / "raudal.parquet")
    deep = folder / "deep.csv"
    return {
        "wide": filtered("wide.csv", WHERE, "MUN == 0 and LOC == 0",
                         "WHERE TRY_CAST(MUN AS INT) = 0 AND TRY_CAST(LOC AS INT) = 0", "MUN=0&LOC=0"),
        "short": filtered("short.csv", "n == 7", "n == 7", "WHERE TRY_CAST(n AS INT) = 7", "n=7"),
        "quoted": filtered("quoted.csv", "id == 7", "id == 7", "WHERE TRY_CAST(id AS INT) = 7", "id=7"),
        "parquet": {
            "raudal": [*raudal, "-o", parquet, str(deep)],
            "raudal before": before and [*before, "-o", parquet, str(deep)],
            "DuckDB COPY": copy("deep.csv", "", "duckdb.parquet", "FORMAT parquet"),
            "polars": polars(f"pl.scan_csv('{deep}', infer_schema=False).sink_parquet('{out / 'polars.parquet'}')"),
        },
    }


def run(command: list[str]) -> tuple[float, float, float]:
    """Runs a command. Returns its wall time, its processor time, and its peak memory in MiB."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        raise RuntimeError(f"{command[0]} failed: {said.decode(errors='replace')[-500:]}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(name: str, commands: dict[str, list[str] | None], runs: int) -> None:
    there = {label: command for label, command in commands.items() if command}
    results: dict[str, list[tuple[float, float, float]]] = {label: [] for label in there}
    # Reads the input once, so that it is in memory for all.
    for label, command in list(there.items()):
        try:
            run(command)
        except (RuntimeError, OSError) as error:
            print(f"{name}: {label} is left out: {error}", file=sys.stderr)
            del there[label], results[label]
    for _ in range(runs):
        for label, command in there.items():
            wall, used, peak = run(command)
            results[label].append((wall, used, peak))
            print(f"{name}: {label}: {wall:.2f} s, {used:.2f} s of processor time, {peak:.0f} MiB", file=sys.stderr)
    base = statistics.median(wall for wall, _, _ in results["raudal"])
    print(f"\n{name} (load {os.getloadavg()[0]:.1f})\n| | wall | range | ratio | processor | peak memory |\n|---|--:|--:|--:|--:|--:|")
    for label, all_of in results.items():
        walls = [wall for wall, _, _ in all_of]
        processor = statistics.median(used for _, used, _ in all_of)
        memory = max(peak for _, _, peak in all_of)
        # Paired: of the runs that were side by side.
        paired = statistics.median(wall / own for (wall, _, _), (own, _, _) in zip(all_of, results["raudal"]))
        median = statistics.median(walls)
        print(f"| {label} | {median:.2f} s | {min(walls):.2f}–{max(walls):.2f} | {paired:.2f} | {processor:.2f} s | {memory:.0f} MiB |")
    assert base > 0


def main() -> None:
    words = sys.argv[1:]
    only = words[words.index("--only") + 1] if "--only" in words else None
    folder, runs = Path(words[0]), int(words[1]) if len(words) > 1 and words[1].isdigit() else 5
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        for name, commands in works(folder, Path(out)).items():
            if commands and only in (None, name):
                measure(name, commands, runs)


if __name__ == "__main__":
    main()
