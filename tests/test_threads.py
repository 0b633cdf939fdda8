import os
import subprocess
import sys

import pytest
import torch

from dreamvid.dream.dreamer import dreamer_for
from dreamvid.machine import threads
from dreamvid.settings import settled

ASK = "import os; print([os.environ.get(n) for n in ('GOMP_SPINCOUNT', 'KMP_BLOCKTIME')])"


@pytest.mark.parametrize(
    ("imports", "own", "expected"),
    [
        ("dreamvid", {}, [threads.SPINS, threads.BLOCK_MILLISECONDS]),
        ("dreamvid", {"GOMP_SPINCOUNT": "7"}, ["7", None]),
        ("dreamvid", {"OMP_WAIT_POLICY": "active"}, [None, None]),
        ("torch, dreamvid", {}, [None, None]),
    ],
)
def test_threads_spin_briefly_unless_the_user_says_how_they_wait(imports, own, expected):
    environment = {k: v for k, v in os.environ.items() if k not in threads.WAITING} | own
    said = subprocess.run(
        [sys.executable, "-c", f"import {imports}; {ASK}"],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == str(expected)


BESIDE = """
import os, threading, torch
from dreamvid.machine import threads

def work():
    torch.rand(2**22).sqrt().sin()
    return len(os.listdir("/proc/self/task"))

def beside():
    threads.yielding()
    told.extend([work() - before, torch.get_num_threads()])

told = []
torch.set_num_threads(2)
before = work()
thread = threading.Thread(target=beside)
thread.start()
thread.join()
print(*told, torch.get_num_threads())
"""


@pytest.mark.skipif(threads.loaded(threads.OPENMP) is None, reason="torch has no GNU OpenMP here")
def test_a_thread_beside_the_dream_starts_none_of_its_own():
    said = subprocess.run(
        [sys.executable, "-c", BESIDE], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["1", "1", "2"]  # one more, which is the thread itself


@pytest.mark.parametrize(("pixels", "count"), [(1, 1), (8191, 1), (8192, 2), (10**7, 5)])
def test_a_picture_gets_the_threads_that_it_is_worth(pixels, count):
    torch.set_num_threads(5)
    with threads.worth(pixels):
        assert torch.get_num_threads() == count
    assert torch.get_num_threads() == 5


@pytest.mark.parametrize(("asked", "expected"), [(0, [1, 3]), (2, [2, 2])])
def test_a_small_octave_keeps_to_one_thread_unless_threads_are_asked_for(
    asked, expected, monkeypatch
):
    monkeypatch.setattr("dreamvid.machine.devices.cores", lambda: 3)
    octaves = {"count": 2, "scale": 2.0}
    tree = {"octaves": octaves, "ascent": {"iterations": 1}, "machine": {"threads": asked}}
    dreamer = dreamer_for(settled({**tree, "machine": {"threads": asked, "precision": "fp32"}}))
    seen = []
    dreamer.watch = lambda *step: seen.append(torch.get_num_threads())
    dreamer(torch.rand(3, 130, 210), (0, 0))
    assert seen == expected


def test_the_cores_that_a_process_may_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    monkeypatch.setattr(threads, "CONTAINER", tmp_path / "cpu.max")
    assert threads.cores() == 6
    for quota, count in (("max 100000", 6), ("250000 100000", 2), ("20000 100000", 1)):
        threads.CONTAINER.write_text(quota + "\n")
        assert threads.cores() == count
