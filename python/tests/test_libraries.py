"""Other libraries read a table over the Arrow C stream."""

from __future__ import annotations

import subprocess
import sys

import pytest
import raudal


@pytest.fixture(scope="module")
def towns(tmp_path_factory):
    path = tmp_path_factory.mktemp("towns") / "towns.csv"
    path.write_text("key,people,area,height,seen\n007,12,1,1.5,2020-03-15\nñ,,2,,\n,9007199254740993,3,-2.0,1969-12-31\n")
    return raudal.table(path, types="auto")


def test_pyarrow_reads_it_with_its_types(towns):
    pa = pytest.importorskip("pyarrow")
    table = pa.table(towns)
    assert [str(field.type) for field in table.schema] == ["string", "int64", "int64", "double", "date32[day]"]
    assert table.column("people").to_pylist() == [12, None, 9007199254740993]
    assert pa.schema(towns) == table.schema
    # It may be read again.
    assert pa.table(towns) == table


def test_pandas_loses_no_digit(towns):
    pd = pytest.importorskip("pandas")
    frame = towns.to_pandas()
    assert frame["key"].tolist() == ["007", "ñ", ""]
    assert frame["people"].dtype == pd.Int64Dtype() and frame["people"][2] == 9007199254740993
    assert str(frame["area"].dtype) == "int64"
    assert str(frame["seen"].dtype).startswith("datetime64")
    by_cells = towns._to_pandas_by_cells(pd)
    pd.testing.assert_frame_equal(frame, by_cells, check_dtype=True)


def test_polars_reads_it(towns):
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(towns)
    assert frame.schema["seen"] == pl.Date
    assert frame["people"].to_list() == [12, None, 9007199254740993]
    assert towns.to_polars().equals(frame)
    # polars 1 makes a frame of it, polars 2 a series of records.
    other = pl.from_arrow(towns)
    assert (other if isinstance(other, pl.DataFrame) else other.struct.unnest()).equals(frame)


def test_duckdb_asks_it(towns):
    duckdb = pytest.importorskip("duckdb")
    t = towns
    assert duckdb.sql("select sum(area), count(people) from t").fetchall() == [(6, 2)]
    assert t is towns


def test_batches_are_read_one_by_one(origin):
    pl = pytest.importorskip("polars")
    frames = [pl.DataFrame(batch) for batch in raudal.batches(f"{origin}ITER_[01-02]_2020_csv.zip")]
    assert pl.concat(frames).height == len(raudal.table(f"{origin}ITER_[01-02]_2020_csv.zip"))


def test_a_table_without_rows_has_its_columns(origin):
    pa = pytest.importorskip("pyarrow")
    t = raudal.table(f"{origin}tiny_1.zip", where="LOC == 77", select="ENTIDAD, POBTOT")
    assert pa.table(t).schema.names == ["ENTIDAD", "POBTOT"] and len(t) == 0
    assert t.to_pandas().shape == (0, 2)


def test_a_million_rows_are_no_python_objects(tmp_path):
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "million.csv"
    with open(path, "w") as file:
        file.write("n,word\n")
        file.writelines(f"{n},abc\n" for n in range(1_000_000))
    t = raudal.table(path, types={"n": "int"})
    before = sys.getallocatedblocks()
    table = pa.table(t)
    assert table.num_rows == 1_000_000 and table.column("n")[999_999].as_py() == 999_999
    assert sys.getallocatedblocks() - before < 10_000
    assert t.nbytes < 64_000_000


def test_the_import_loads_no_other_library():
    code = (
        "import sys, raudal; "
        "print([m for m in ('pandas','numpy','pyarrow','polars','tqdm','asyncio') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
