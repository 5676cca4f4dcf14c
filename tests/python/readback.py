"""Reads what raudal writes with the libraries that others use, and compares every cell with the CSV.

    python tests/python/readback.py target/release/raudal

Needs pandas, pyarrow, polars and duckdb.
"""

import csv
import datetime
import io
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())

# What tables hold in the world: codes with zeros, quotes, line ends, letters, empty and long cells.
TRAPS = [
    ["id", "MUN", "name", "POBTOT", "LAT", "FECHA", "note, with: signs", "empty"],
    ["1", "000", "Total", "126014024", "19.4326", "2020-03-15", 'say "hi"', ""],
    ["2", "007", "Cañón de Ñandú", "*", "-0.5", "1969-12-31", "two\r\nlines", ""],
    ["3", "010", "日本 🌵", "", "", "", "a\ttab, a comma", ""],
    ["4", "", " blanks ", "-9223372036854775808", "2.5e3", "9999-12-31", "\\N", ""],
    ["5", "1", "NULL", "9223372036854775807", "0.30000000000000004", "2000-02-29", "x" * 5000, ""],
]
TYPES = {"POBTOT": int, "LAT": float, "FECHA": datetime.date.fromisoformat}
CHOSEN = ["--types", "POBTOT:int, LAT:float, FECHA:date", "--null", "*"]


def run(*arguments, code=0):
    done = subprocess.run([PROGRAM, "table", "-q", *map(str, arguments)], capture_output=True, check=False)
    if done.returncode != code:
        sys.exit(f"{arguments}: exit code {done.returncode}\n{done.stderr.decode()}")
    return done.stdout


def table_of(text):
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return header, rows


def expected(header, rows, typed):
    """The rows as values: with types, missing cells are None and the rest is parsed."""

    def value(name, cell):
        if not typed or name not in TYPES:
            return cell
        return None if cell in ("", "*") else TYPES[name](cell)

    return [[value(name, cell) for name, cell in zip(header, row)] for row in rows]


def plain(value):
    """A value of a library as one of Python."""
    if value is None or value is pandas.NaT or value is pandas.NA or value != value:
        return None
    if isinstance(value, datetime.datetime):
        return value.date()
    return value.item() if hasattr(value, "item") else value


def compare(what, header, rows, found_header, found_rows):
    if list(found_header) != header:
        sys.exit(f"{what}: columns {list(found_header)} in place of {header}")
    found_rows = [list(map(plain, row)) for row in found_rows]
    if len(found_rows) != len(rows):
        sys.exit(f"{what}: {len(found_rows)} rows in place of {len(rows)}")
    for number, (row, found) in enumerate(zip(rows, found_rows), 1):
        for name, cell, other in zip(header, row, found):
            if cell != other or type(cell) is not type(other):
                sys.exit(f"{what}: row {number}, column {name}: {other!r} in place of {cell!r}")
    print(f"{what}: {len(rows)} rows of {len(header)} columns are equal")


def of_arrow(table):
    return table.column_names, zip(*(column.to_pylist() for column in table.columns)) if table.num_columns else []


def of_json(objects):
    return list(objects[0]), [list(row.values()) for row in objects]


def of_sqlite(path, dates):
    with sqlite3.connect(path) as connection:
        cursor = connection.execute("SELECT * FROM data")
        header = [column[0] for column in cursor.description]
        return header, [with_dates(header, row, dates) for row in cursor]


def with_dates(header, row, dates):
    """JSON and SQLite hold dates as text."""
    return [
        datetime.date.fromisoformat(cell) if dates and name == "FECHA" and cell is not None else cell
        for name, cell in zip(header, row)
    ]


def check(folder, source, header, rows, what, *options, typed):
    values = expected(header, rows, typed)

    def written(name):
        path = folder / f"{what}.{name}".replace(" ", "-")
        run(source, "-o", path, *options)
        return path

    def same(name, found):
        compare(f"{what}: {name}", header, values, *found)

    def json_rows(objects):
        found_header, found = of_json(objects)
        return found_header, [with_dates(found_header, row, typed) for row in found]

    path = written("parquet")
    same("parquet, pyarrow", of_arrow(pyarrow.parquet.read_table(path)))
    frame = polars.read_parquet(path)
    same("parquet, polars", (frame.columns, frame.rows()))
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    same("parquet, pandas", (frame.columns, frame.itertuples(index=False, name=None)))
    relation = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    same("parquet, duckdb", (relation.columns, relation.fetchall()))

    path = written("arrow")
    with pyarrow.ipc.open_file(path) as reader:
        same("arrow file, pyarrow", of_arrow(reader.read_all()))
    frame = polars.read_ipc(path)
    same("arrow file, polars", (frame.columns, frame.rows()))
    with pyarrow.ipc.open_stream(run(source, "--format", "arrow", *options)) as reader:
        same("arrow stream, pyarrow", of_arrow(reader.read_all()))

    same("sqlite, sqlite3", of_sqlite(written("sqlite"), typed))

    lines = written("jsonl").read_text(encoding="utf-8").splitlines()
    same("jsonl, json", json_rows([json.loads(line) for line in lines]))
    same("json, json", json_rows(json.loads(written("json").read_text(encoding="utf-8"))))


def check_text(folder, source, header, rows):
    """CSV and TSV are text, with types or without."""
    for name, arguments in [("csv", {}), ("csv.gz", {}), ("csv.zst", {}), ("tsv", {"sep": "\t"}), ("tsv.gz", {"sep": "\t"})]:
        path = folder / f"text.{name}"
        run(source, "-o", path)
        # Polars takes an empty cell for a missing one.
        frame = polars.read_csv(path, separator=arguments.get("sep", ","), infer_schema=False).fill_null("")
        compare(f"{name}, polars", header, rows, frame.columns, frame.rows())
        if name.endswith(".zst"):
            continue  # pandas would need one more package
        frame = pandas.read_csv(path, dtype=str, keep_default_na=False, **arguments)
        compare(f"{name}, pandas", header, rows, frame.columns, frame.itertuples(index=False, name=None))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "traps.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(TRAPS)
        header, *rows = TRAPS
        check_text(folder, source, header, rows)
        check(folder, source, header, rows, "text", typed=False)
        check(folder, source, header, rows, "types", *CHOSEN, typed=True)

        # Many rows: several batches, and rows that wait in a temporary file.
        source = folder / "many.csv"
        names = ["k", "POBTOT", "LAT", "FECHA", "text"]
        day = datetime.date(2000, 1, 1)
        rows = [
            [f"{n:06}", str(n), f"{n}.25", str(day + datetime.timedelta(n % 9000)), "ñ" * (n % 90)]
            for n in range(150_000)
        ]
        with source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([names, *rows])
        check(folder, source, names, rows, "many", "--types", "auto", typed=True)

        # Rows that are added.
        path = folder / "added.sqlite"
        run(folder / "traps.csv", "-o", path, *CHOSEN)
        run(folder / "traps.csv", "-o", path, "--append", *CHOSEN)
        header, *rows = TRAPS
        compare("sqlite, added", header, expected(header, rows, True) * 2, *of_sqlite(path, True))


main()
