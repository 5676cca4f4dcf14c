"""In a notebook: a kernel that is interrupted stays as it was."""

from __future__ import annotations

import os
import random
import time

import pytest

CELL = """
print("begun", flush=True)
t = raudal.table(f"{url}ITER_[01-32]_2020_csv.zip", where="MUN == 0", progress=False)
import time; time.sleep(30)
"""


def begun(kernel) -> None:
    """Wait until the cell has printed."""
    while True:
        message = kernel.get_iopub_msg(timeout=30)
        if message["msg_type"] == "stream" and "begun" in message["content"]["text"]:
            return


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_kernel_that_is_interrupted_ten_times_keeps_its_threads_and_its_memory(origin):
    manager_of = pytest.importorskip("jupyter_client.manager")
    psutil = pytest.importorskip("psutil")
    pytest.importorskip("ipykernel")
    manager, kernel = manager_of.start_new_kernel(kernel_name="python3")
    seed = random.Random(11)

    def run(code: str) -> dict:
        return kernel.execute_interactive(code, timeout=60, output_hook=lambda _: None)["content"]

    def interrupted() -> None:
        # Otherwise the kernel may drop the next cell, if that one comes soon after the exception.
        sent = kernel.execute(CELL, stop_on_error=False)
        begun(kernel)
        time.sleep(seed.uniform(0.0, 0.4))
        manager.interrupt_kernel()
        while True:
            reply = kernel.get_shell_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == sent:
                break
        assert reply["content"]["ename"] == "KeyboardInterrupt"

    try:
        assert run(f"import os, raudal; url = {origin.url!r}")["status"] == "ok"
        process = next(p for p in psutil.Process().children(recursive=True) if "ipykernel" in " ".join(p.cmdline()))
        for _ in range(10):
            interrupted()
        time.sleep(0.5)
        threads, memory = process.num_threads(), process.memory_info().rss
        for _ in range(10):
            interrupted()
        deadline = time.monotonic() + 5
        while process.num_threads() > threads and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.num_threads() <= threads
        assert process.memory_info().rss - memory < 32 << 20
        assert run("assert len(raudal.table(f'{url}tiny_1.zip', progress=False)) == 4")["status"] == "ok"
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)
