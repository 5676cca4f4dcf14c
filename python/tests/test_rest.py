"""Files, comparisons, the origin, progress, the command, and the package itself."""

from __future__ import annotations

import hashlib
import http.server
import inspect
import json
import os
import subprocess
import sys
import threading
import time
import zipfile

import pytest
import raudal


def test_files_are_saved_and_verified(origin, tmp_path):
    files = raudal.get(f"{origin}tiny_[1-3].zip", tmp_path / "new", progress=False)
    assert [file.path.name for file in files] == ["tiny_1.zip", "tiny_2.zip", "tiny_3.zip"]
    for file in files:
        assert zipfile.is_zipfile(file.path)
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    with pytest.raises(raudal.Error) as refused:
        raudal.get(f"{origin}tiny_1.zip", tmp_path / "new", progress=False)
    assert "overwrite=" in str(refused.value) or "resume=" in str(refused.value) or "skip_existing=" in str(refused.value)
    again = raudal.get(f"{origin}tiny_[1-4].zip", tmp_path / "new", resume=True, progress=False)
    assert [file.skipped for file in again] == [True, True, True, False]
    assert "tiny_4.zip" in again._repr_html_() and len(again) == 4


def test_archives_are_extracted(origin, tmp_path):
    [file] = raudal.get(f"{origin}tiny_1.zip", tmp_path, extract=True, progress=False)
    assert file.extracted.is_dir() and list(file.extracted.iterdir())


def test_a_comparison_shows_itself():
    events = []
    c = raudal.compare("requests", jobs=[1, 4], requests=8, latency="5ms", runs=2, warmup=0, progress=events.append)
    assert [level["jobs"] for level in c.levels] == [1, 4]
    assert c.speed_up(4) > 1.5 and c.speed_up(1) == 1
    with pytest.raises(KeyError):
        c.speed_up(2)
    assert "requests" in repr(c) and "speed" in c.markdown().lower()
    html = c.timeline()._repr_html_()
    assert html.startswith("<iframe sandbox srcdoc=") and "&lt;svg" in html
    assert json.loads(c.trace()) and c.csv().startswith("workload,")
    assert any(event["event"] == "run_finished" for event in events)


def test_a_timeline_is_saved_as_a_page(tmp_path):
    c = raudal.compare("sleep", jobs=2, sleeps=2, latency="1ms", runs=1, warmup=0, progress=False)
    c.timeline().save(tmp_path / "t.html")
    assert (tmp_path / "t.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_comparison_is_refused_in_the_words_of_python():
    with pytest.raises(ValueError, match="no such workload: naps"):
        raudal.compare("naps")
    with pytest.raises(TypeError, match="did you mean sleeps"):
        raudal.compare("sleep", sleep=2)
    with pytest.raises(raudal.Error) as refused:
        raudal.compare("sleep", jobs="auto", progress=False)
    assert "jobs=" in str(refused.value)


def test_an_origin_counts_and_ends():
    with raudal.serve(scale=0.05) as origin:
        raudal.table(f"{origin}tiny_1.zip", progress=False)
        assert origin.stats()["requests"] >= 1
        url = origin.url
    assert origin.stats() == {}
    origin.close()
    with pytest.raises(raudal.Error):
        raudal.table(f"{url}tiny_1.zip", retries=0, progress=False)
    with pytest.raises(raudal.Error) as refused:
        raudal.serve(fault="nonsense")
    assert refused.value.kind == "usage"


def test_a_callback_gets_each_event(origin):
    events = []
    raudal.table(f"{origin}tiny_[1-3].zip", progress=events.append)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "run_started" and kinds[-1] == "run_finished"
    assert events[0]["total"] == 3 and kinds.count("job_finished") == 3
    finished = events[-1]["report"]
    assert sum(event["bytes"] for event in events if event["event"] == "advanced") == finished["bytes"]


def test_progress_is_a_bar_of_tqdm_or_lines_or_nothing(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    with raudal.serve(latency="150ms") as origin:
        raudal.table(f"{origin}tiny_[1-3].zip", jobs=3)
        assert "inputs" in capsys.readouterr().err
        raudal.table(f"{origin}tiny_[1-3].zip", jobs=3, progress=False)
        assert capsys.readouterr() == ("", "")
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with raudal.serve(latency="2500ms") as origin:
        raudal.table(f"{origin}tiny_1.zip")
    assert "1 in flight" in capsys.readouterr().err


def script() -> str:
    return os.path.join(os.path.dirname(sys.executable), "raudal.exe" if os.name == "nt" else "raudal")


def test_the_command_is_the_whole_program():
    for command in ([script()], [sys.executable, "-m", "raudal"]):
        out = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert out.stdout.strip() == f"raudal {raudal.__version__}"
    out = subprocess.run(
        [script(), "iter", "--mirror", "embedded", "--scale", "0.05", "-q"], capture_output=True, text=True, check=True
    )
    assert len(out.stdout.splitlines()) == 33
    for arguments, code in ((["table"], 2), (["table", "nothing.csv", "-q"], 8), ([], 2)):
        assert subprocess.run([script(), *arguments], capture_output=True).returncode == code


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_command_handles_ctrl_c_itself():
    import signal

    with raudal.serve(latency="60s") as origin:
        run = subprocess.Popen([script(), "table", f"{origin}tiny_1.zip"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while origin.stats()["in_flight"] == 0:
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=10)
    assert run.returncode == 130 and b"interrupted" in said and b"Traceback" not in said


def test_every_public_name_has_a_docstring():
    for name in raudal.__all__:
        thing = getattr(raudal, name)
        assert name == "__version__" or inspect.getdoc(thing), name
        if inspect.isclass(thing) and not issubclass(thing, dict):
            for method, value in vars(thing).items():
                assert method.startswith("_") or isinstance(value, (list, str)) or inspect.getdoc(value), f"{name}.{method}"


def test_the_types_name_every_option():
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))
    try:
        from options import text
    finally:
        sys.path.pop(0)
    path = os.path.join(os.path.dirname(raudal.__file__), "_options.py")
    with open(path, encoding="utf-8") as file:
        assert file.read() == text(), "the options of the command line have changed: run tools/options.py"


def test_the_package_is_typed():
    folder = os.path.dirname(raudal.__file__)
    assert os.path.exists(os.path.join(folder, "py.typed"))
    assert os.path.exists(os.path.join(folder, "_raudal.pyi"))



def test_objects_in_a_store_are_inputs_and_its_refusals_are_errors(monkeypatch):
    asked = []

    class Store(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers["Authorization"])
            found = self.path == "/bucket/a.csv"
            body = b"x\n1\n" if found else b"<Error><Code>NoSuchKey</Code></Error>"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
        assert raudal.table("s3://bucket/a.csv").column("x") == ["1"]
        with pytest.raises(raudal.Error, match="s3://bucket/b.csv: no such object") as refused:
            raudal.table("s3://bucket/b.csv", progress=False)
        server.shutdown()
    assert all(header.startswith("AWS4-HMAC-SHA256 Credential=AKID/") for header in asked)
    assert "hidden" not in str(refused.value)


def test_the_import_leaves_the_environment_as_it_was():
    code = "import os; before = dict(os.environ); import raudal; print(dict(os.environ) == before)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "True\n"
