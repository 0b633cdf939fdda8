import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dreamvid import cli
from dreamvid.registry import Registry
from dreamvid.settings import plugin_loading, preset_folders


def pytest_configure(config):
    """Hide a GPU from tests that are not for one: theirs are the numbers of a processor."""
    asked = str(config.option.markexpr).replace("not gpu", "")
    if "gpu" not in asked:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


SHARED = Path(__file__).parents[2] / "shared"


def shared(name: str) -> Path:
    """A file beside the project that is no part of it; skips the test where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {name}, which is not part of the project")
    return path


@pytest.fixture(autouse=True)
def one_thread():
    """Dreamers take every core, and results to the last bit depend on the number of threads."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def interrupts():
    """The command line lets Ctrl-C end the process; the tests' own stop as usual."""
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def googlenet_weights() -> Path:
    return shared("weights/bvlc_googlenet.safetensors")


@pytest.fixture
def picture():
    """A textured picture (3, 60, 92), no two corners alike."""
    generator = torch.Generator().manual_seed(3)
    rows = torch.linspace(0, 1, 60)[:, None]
    columns = torch.linspace(0, 1, 92)[None, :]
    smooth = torch.stack([rows * columns.sqrt(), (1 - rows) * columns, rows.expand(60, 92)])
    return (0.8 * smooth + 0.2 * torch.rand(3, 60, 92, generator=generator)).clamp(0, 1)


def run_cli(*arguments: object, **options) -> "subprocess.CompletedProcess[str]":
    """`dreamvid ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "dreamvid", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, **options
    )


def call_cli(*arguments: object, cwd: Path | str = ".") -> "subprocess.CompletedProcess[str]":
    """`dreamvid ARGUMENTS` in this process, which is quicker; a traceback fails the test."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    command = ["dreamvid", *map(str, arguments)]
    before, sys.argv, status = sys.argv, command, None
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    try:
        with streams[0], streams[1], contextlib.chdir(cwd):
            cli.main()
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = before
        torch.set_num_threads(1)
    told = [stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err)]  # pyright: ignore
    return subprocess.CompletedProcess(command, int(status or 0), *told)


@pytest.fixture
def no_plugin_stays():
    """Plugins are the process's own; each test begins without any."""
    before = {each: (dict(each.functions), dict(each.facts)) for each in Registry.all}
    yield
    for registry, (functions, facts) in before.items():
        registry.functions, registry.facts = functions, facts
    preset_folders.added.clear()
    plugin_loading._loaded.clear()
