"""One table of many inputs: rows, types, failures."""

from __future__ import annotations

import pathlib
import warnings
from datetime import date, timedelta

import pytest
import raudal
from conftest import examples


@pytest.fixture
def towns(tmp_path):
    """A file with each type, and a missing cell in each column that may have one."""
    path = tmp_path / "towns [2020].csv"
    path.write_text("key,people,height,seen\n007,12,1.5,2020-03-15\nñ,,,\n,9007199254740993,-2.0,1969-12-31\n")
    return path


def test_the_examples_of_the_docstrings_run(tmp_path):
    assert examples("raudal._functions", tmp_path) == (0, 12)


def test_a_table_has_the_rows_of_all_inputs_in_their_order(origin):
    t = raudal.table(f"{origin}tiny_[1-40].zip", where="MUN == 0 and LOC == 0", source_column="file", jobs=20)
    assert t.column("file") == [f"tiny_{n}.zip" for n in range(1, 41)]
    assert (len(t), t.failures, t.rows_read) == (40, [], 160)
    assert t.report["attempts"] == 40
    assert set(t.types.values()) == {"text"}


def test_types_are_named_or_found_and_text_stays_as_it_is(towns):
    t = raudal.table(towns, types="auto")
    assert t.types == {"key": "text", "people": "int", "height": "float", "seen": "date"}
    assert t.column("key") == ["007", "ñ", ""]
    assert t.column("people") == [12, None, 9007199254740993]
    assert t.column("height") == [1.5, None, -2.0]
    assert t.column("seen") == [date(2020, 3, 15), None, date(1969, 12, 31)]
    named = raudal.table([towns], types={"people": "int"})
    assert named.types == {"key": "text", "people": "int", "height": "text", "seen": "text"}


def test_a_path_is_one_file_and_a_text_may_be_a_pattern(towns):
    assert len(raudal.table(towns)) == 3
    towns.rename(towns.with_name("a.csv"))
    with pytest.raises(raudal.Error, match=r"towns \[2020\].csv"):
        raudal.table(towns, progress=False)
    with pytest.raises(raudal.Error, match="2 of 2 inputs failed"):
        raudal.table(str(towns.with_name("{b,c}.csv")), progress=False)
    for source in (7, [7], None):
        with pytest.raises(TypeError):
            raudal.table(source)


def test_a_failed_input_is_data_and_a_warning(origin):
    with pytest.warns(raudal.RaudalWarning, match="1 of 3 inputs failed: .*404|none.zip"):
        t = raudal.table([f"{origin}tiny_1.zip", f"{origin}none.zip", f"{origin}tiny_2.zip"], retries=0, progress=False)
    assert len(t) == 8
    [failure] = t.failures
    assert failure.source == f"{origin}none.zip"
    assert (failure.kind, failure.attempts) == ("impostor", 1)
    assert "failed input" in repr(t) and "none.zip" in t._repr_html_()


def test_a_strict_table_and_one_of_nothing_raise_with_the_failures(origin):
    sources = [f"{origin}tiny_1.zip", f"{origin}none.zip"]
    with pytest.raises(raudal.Error) as failed:
        raudal.table(sources, retries=0, strict=True, progress=False)
    error = failed.value
    assert (error.kind, len(error.failures), len(error.table)) == ("impostor", 1, 4)
    with pytest.raises(raudal.Error) as failed:
        raudal.table(sources[1], retries=0, progress=False)
    assert len(failed.value.failures) == 1 and len(failed.value.table) == 0


def test_attempts_are_retried_as_on_the_command_line():
    with raudal.serve(fault="503:n=1") as origin:
        t = raudal.table(f"{origin}tiny_[1-3].zip", retry_delay="1ms", progress=False)
        assert (t.failures, t.report["retries"]) == ([], 3)
        assert origin.stats()["faults"] == 3
        with pytest.raises(raudal.Error) as failed:
            raudal.table(f"{origin}tiny_4.zip", retries=0, progress=False)
        assert failed.value.kind == "status" and failed.value.failures[0].may_help


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"where": "MUN = = 0"}, "where="),
        ({"jobs": "many"}, "jobs="),
        ({"select": ["NOMBRE_QUE_NO_HAY"]}, "NOMBRE_QUE_NO_HAY"),
        ({"types": "x:number"}, "number"),
        ({"retry_delay": "soon"}, "not a time"),
        ({"limit": 1, "sample": 1}, "limit="),
    ],
)
def test_a_wrong_option_is_an_error_in_the_words_of_python(origin, options, words):
    with pytest.raises(raudal.Error) as refused:
        raudal.table(f"{origin}tiny_1.zip", progress=False, **options)
    text = str(refused.value)
    assert refused.value.kind in ("usage", "column")
    assert words in text or words == "where="
    assert "--" not in text and "[`" not in text, text


def test_a_wrong_keyword_is_a_type_error_that_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean where?"):
        raudal.table("a.csv", wher="x > 3")
    for options in ({"output": "a.csv"}, {"distinct": 1}, {"where": True}, {"jobs": object()}):
        with pytest.raises(TypeError):
            raudal.table("a.csv", **options)


def test_the_output_of_the_environment_is_not_ours_but_the_rest_is(towns, monkeypatch, tmp_path):
    monkeypatch.setenv("RAUDAL_OUTPUT", str(tmp_path / "out.csv"))
    monkeypatch.setenv("RAUDAL_LIMIT", "2")
    assert len(raudal.table(towns)) == 2
    assert len(raudal.table(towns, limit=1)) == 1
    assert not (tmp_path / "out.csv").exists()


def test_a_bad_value_of_the_environment_names_the_variable(towns, monkeypatch):
    monkeypatch.setenv("RAUDAL_RETRIES", "often")
    with pytest.raises(raudal.Error, match="RAUDAL_RETRIES"):
        raudal.table(towns)


def test_the_file_of_the_project_counts_below_the_keywords(towns, monkeypatch, tmp_path):
    monkeypatch.delenv("RAUDAL_NO_CONFIG")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raudal.toml").write_text("limit = 1\noutput = 'out.csv'\n")
    assert len(raudal.table(towns)) == 1
    assert len(raudal.table(towns, limit=2)) == 2
    assert not (tmp_path / "out.csv").exists()
    (tmp_path / "raudal.toml").write_text("limit = 'few'\n")
    with pytest.raises(raudal.Error, match="raudal.toml"):
        raudal.table(towns)


def test_values_are_given_as_python_has_them(origin, tmp_path):
    sums = tmp_path / "SUMS"
    sums.write_text("")
    for options in (
        {"read_timeout": timedelta(seconds=5), "jobs": 2, "header": ["X-A: 1", "X-B: 2"]},
        {"read_timeout": 1e-1, "connect_timeout": 2, "distinct": True, "fold_names": False, "member": None},
    ):
        assert raudal.table(f"{origin}tiny_1.zip", **options).failures == []
    with pytest.raises(raudal.Error):
        raudal.table(f"{origin}tiny_1.zip", checksums=sums, progress=False)


def test_what_was_guessed_in_an_input_is_a_warning(tmp_path):
    path = tmp_path / "trailing.csv"
    path.write_text("a,b\n1,2,\n3,4,\n")
    with pytest.warns(raudal.RaudalWarning):
        t = raudal.table(path)
    assert t.warnings and len(t) == 2


def test_the_lock_withholds_a_table_that_differs(tmp_path, towns):
    lock = tmp_path / "raudal.lock"
    raudal.table(towns, lock=lock)
    assert len(raudal.table(towns, lock=lock, locked=True)) == 3
    towns.write_text("key\nother\n")
    with pytest.raises(raudal.Error) as failed:
        raudal.table(towns, lock=lock, locked=True)
    assert failed.value.kind == "drift"
    with pytest.raises(TypeError, match="locked"):
        raudal.batches(towns, lock=lock, locked=True)


def test_a_deadline_ends_the_run(slow):
    with pytest.raises(raudal.Error) as failed:
        raudal.table(f"{slow}tiny_1.zip", deadline="100ms", progress=False)
    assert failed.value.kind == "deadline"


def test_iter_has_a_row_for_each_state():
    t = raudal.iter_2020(mirror="embedded", scale=0.05, types="auto", select=["ENTIDAD", "NOM_ENT", "POBTOT"])
    assert t.shape == (32, 3)
    assert sum(t.column("POBTOT")) == 126_014_024
    assert len(raudal.iter_2020(mirror="embedded", scale=0.05, entities=["01", "14-16"])) == 4


def test_no_input_is_refused():
    with pytest.raises(raudal.Error):
        raudal.table([])


def test_batches_give_the_same_rows_in_bounded_memory(origin):
    url = f"{origin}ITER_[01-03]_2020_csv.zip"
    whole = raudal.table(url)
    parts = list(raudal.batches(url))
    assert all(0 < len(part) <= 65_536 for part in parts)
    assert [cell for part in parts for cell in part.column("NOM_LOC")] == whole.column("NOM_LOC")
    assert parts[0].types == whole.types


def test_leaving_the_loop_ends_the_transfers(origin):
    with raudal.serve() as slow_one:
        batches = raudal.batches(f"{slow_one}tiny_[1-100000].zip")
        for batch in batches:
            assert len(batch) >= 4
            break
        batches.close()
        assert slow_one.stats()["requests"] < 100_000
        assert list(batches) == []


def test_batches_tell_of_failures_at_the_end(origin):
    sources = [f"{origin}tiny_1.zip", f"{origin}none.zip"]
    batches = raudal.batches(sources, retries=0)
    with pytest.warns(raudal.RaudalWarning):
        assert sum(map(len, batches)) == 4
    assert len(batches.failures) == 1
    with pytest.raises(raudal.Error):
        list(raudal.batches(sources, retries=0, strict=True))


def test_a_table_shows_itself(towns):
    t = raudal.table(towns, types="auto")
    assert repr(t) == "<raudal.Table: 3 rows, 4 columns>"
    html = t._repr_html_()
    assert "<th>people</th>" in html and "2020-03-15" in html and "007" in html
    towns.write_text("x,<b>\n&,<script>\n")
    assert "<script>" not in raudal.table(towns)._repr_html_()
    with pytest.raises(KeyError):
        t.column("nobody")


def test_a_thousand_tables_leave_nothing(towns):
    import os

    def threads() -> int:
        return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0

    raudal.table(towns, progress=False)
    before = threads()
    for _ in range(50):
        raudal.table(towns, progress=False)
    assert threads() <= before


def test_nothing_warns_where_nothing_is_odd(towns):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raudal.table(pathlib.Path(towns))
