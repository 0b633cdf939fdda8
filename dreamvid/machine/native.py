"""C compiled on the machine that runs it, for what torch does slowly on a processor.

A source is compiled once with the machine's own GNU compiler and kept in the user's cache. It uses
all that this processor has, and shares torch's own threads. Nothing needs it: without a compiler,
on Windows and on macOS `compiled` says why there is none, and torch's own way is taken.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

from dreamvid.machine.threads import OPENMP, loaded

FLAGS = (
    *("-std=c11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    *("-fopenmp", "-fPIC"),
)
COMPILERS = ("gcc", "cc")
SECONDS = 60
"""How long a compiler may take; it needs one or two."""


class NoLibrary(Exception):
    """Why there is no compiled code here, in a few words."""


@cache
def compiled(source: Path, *definitions: str) -> ctypes.CDLL:
    """The library compiled from a C file with OpenMP, for instance ``compiled(file, "-DHALF")``.

    Raises:
        NoLibrary: this machine cannot compile or load it.
    """
    if not sys.platform.startswith("linux"):
        raise NoLibrary("compiled on Linux only")
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise NoLibrary("no C compiler; install gcc")
    flags = (*FLAGS, *definitions)
    try:
        library = _folder() / f"{source.stem}-{_key(source, compiler, flags)}.so"
        _share_threads()
        if not library.exists():
            _compile(source, compiler, flags, library)
        return ctypes.CDLL(str(library))
    except (OSError, subprocess.SubprocessError) as error:
        reason = " ".join(str(getattr(error, "stderr", None) or error).split())
        raise NoLibrary(f"{compiler}: {reason[:200]}") from None


def lacking(source: Path, *definitions: str) -> str | None:
    """Why `compiled` has no library from a C file; None where it has one."""
    try:
        compiled(source, *definitions)
    except NoLibrary as error:
        return str(error)
    return None


def call(
    library: ctypes.CDLL, name: str, tensors: Sequence[Tensor | None], *numbers: float
) -> None:
    """Call what is compiled: it takes addresses of tensors, numbers, and a number of threads.

    Of no tensor the address is NULL. Whole numbers are each an `int` there, others a `float`; the
    first call decides which.
    """
    function = getattr(library, name)
    if function.argtypes is None:
        kinds = (ctypes.c_int if isinstance(each, int) else ctypes.c_float for each in numbers)
        function.argtypes = [ctypes.c_void_p for _ in tensors] + [*kinds, ctypes.c_int]
    addresses = [None if each is None else each.data_ptr() for each in tensors]
    again = partial(function, *addresses, *numbers, torch.get_num_threads())
    again()
    if note := getattr(_watching, "note", None):
        note(again, tensors)


_watching = threading.local()


def is_watched() -> bool:
    """Whether somebody hears of the calls of this thread."""
    return getattr(_watching, "note", None) is not None


@contextmanager
def watched(note: Callable[[Callable[[], None], Sequence[Tensor | None]], None]) -> Iterator[None]:
    """Meanwhile `note` hears of each call of this thread: what does it again, and its tensors."""
    before = getattr(_watching, "note", None)
    _watching.note = note
    try:
        yield
    finally:
        _watching.note = before


def _folder() -> Path:
    """Where compiled code is kept: the user's own cache, which no one else can write to."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "dreamvid" / "native"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _key(source: Path, compiler: str, flags: tuple[str, ...]) -> str:
    """Stands for all that compiled code depends on."""
    known = Path(compiler).resolve()
    told = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line for line in told if line.startswith(("flags", "Features"))), "")
    parts = (str(known), str(known.stat().st_mtime_ns), *flags, processor)
    return hashlib.sha256(_code(source) + "\0".join(parts).encode()).hexdigest()[:24]


def _code(source: Path) -> bytes:
    """A C file and what it includes of ours."""
    code = source.read_bytes()
    included = re.findall(rb'^#include "(.+)"', code, re.MULTILINE)
    return code + b"".join(_code(source.parent / name.decode()) for name in included)


def _share_threads() -> None:
    """Let what is compiled find torch's own OpenMP: two of them would fight for the cores."""
    path = loaded(OPENMP)
    if path is None:
        raise OSError("torch has no GNU OpenMP here")
    ctypes.CDLL(path, ctypes.RTLD_GLOBAL)


def _compile(source: Path, compiler: str, flags: tuple[str, ...], library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        part, whole = Path(folder, "part.o"), Path(folder, "whole.so")
        # Linked without OpenMP, its calls are bound to the library that is there already.
        for command in (
            (compiler, *flags, "-c", source, "-o", part),
            (compiler, "-shared", part, "-o", whole, "-lm"),
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
        whole.replace(library)
