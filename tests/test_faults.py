"""When the machine fails, nothing finished is lost and nothing broken looks whole.

The faults and where each is made to happen:

====  ============================================  =============================================
F1    kill -9 at random instants                    here, test_job, test_loops, test_video
F2-3  SIGTERM, SIGINT once and twice                here, test_job
F4    a full disk at every page a job writes        here, test_media
F5    files that may grow no larger                 here, test_media
F6    a read-only folder                            here
F7-8  ffmpeg killed and stopped                     here, test_media, test_decoding
F9    ffmpeg missing, not executable, another       here, test_media
F10   torn frames, journals, manifests              here, test_job
F11   two runs of one job                           here, test_job
F12   memory running out                            here, test_tiles
F13   gradients that are not finite                 here, test_ascent
F14   changed settings                              here, test_job
F15   a clock that goes backwards                   here
F16   a folder deleted under a run                  here
F17   no NVENC                                      test_sinks
F18   standard output closed                        here, test_cli
====  ============================================  =============================================
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest
import torch
from conftest import call_cli
from safetensors.torch import save_file
from test_flow import texture

from dreamvid import media
from dreamvid.dream import ascent
from dreamvid.jobs.folder import Job
from dreamvid.media import film_writing
from dreamvid.networks import network

SMALL = (
    *("--size", "96x64", "--octaves", 2, "--iterations", 1, "--set", "machine.threads=1"),
    *("--set", "ascent.jitter=4", "--min-free", 0, "--quiet"),
)
KINDS = {
    "zoom": ("zoom", "seed.png", "--frames", 12, *SMALL),
    "loop": ("loop", "seed.png", "--frames", 6, "--fps", 4, "--set", "loop.turns=2", *SMALL),
    "video": ("video", "clip.mp4", *SMALL),
}
SEED = int(os.environ.get("DREAMVID_TEST_SEED", "5"))
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a still and a film in it."""
    folder = tmp_path_factory.mktemp("inputs")
    media.write_picture(texture(0, 0), folder / "seed.png")
    clip = (texture(2 * index, -index) for index in range(8))
    film_writing.encode_film(clip, folder / "clip.mp4", Fraction(24000, 1001))
    return folder


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """Jobs of each kind that nothing happened to, made when they are asked for."""
    made: dict[tuple, Path] = {}
    folder = tmp_path_factory.mktemp("whole")

    def unbroken(*arguments):
        if arguments not in made:
            out = folder / f"{len(made)}.mp4"
            result = call_cli(*arguments, "-o", out, cwd=inputs)
            assert result.returncode == 0, result.stderr
            made[arguments] = Path(f"{out}.dream")
        return made[arguments]

    return unbroken


def frames_in(folder):
    return {path.name: path.read_bytes() for path in (folder / "frames").iterdir()}


def film_of(folder):
    return folder.with_suffix("").read_bytes()


def must_equal(folder, unbroken):
    """The job and its film are those that nothing happened to, and nothing else lies about."""
    assert frames_in(folder) == frames_in(unbroken)
    assert film_of(folder) == film_of(unbroken)
    assert {path.name for path in folder.iterdir()} == {path.name for path in unbroken.iterdir()}
    assert not list(folder.parent.rglob(".*")), "something temporary was left"


def must_be_told(result, status, words=""):
    """It ended with that status and one line that holds `words`."""
    assert result.returncode == status, (result.returncode, result.stderr)
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert words in result.stderr


def begun(*arguments, cwd, **options):
    command = [sys.executable, "-m", "dreamvid", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True, **options)


def wait_for(happened):
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finished(folder):
    """How many frames a job holds, which is none before there is one."""
    return Job.open(folder).finished() if (folder / "job.json").exists() else 0


def at_work(process):
    """Whether it holds the lock of its job."""
    return f" FLOCK  ADVISORY  WRITE {process.pid} " in Path("/proc/locks").read_text()


def struck(kind, blows, inputs, out, unbroken):
    """Strike a job by signals at random instants until it is made; frames that were lost by it."""
    folder, lost, struck_ = Path(f"{out}.dream"), 0, []
    chance = random.Random(f"{SEED} {kind}")
    arguments = (*KINDS[kind], "-o", out)
    for blow in blows:
        process = begun(*arguments, cwd=inputs)
        wait_for(lambda: at_work(process) or process.poll() is not None)  # noqa: B023
        time.sleep(chance.uniform(0, 0.6))
        before = finished(folder)
        process.send_signal(blow)
        _, words = process.communicate(timeout=60)
        lost += max(0, before - finished(folder))
        if out.exists():  # it was quicker
            must_equal(folder, unbroken)
            shutil.rmtree(folder)
            out.unlink()
            continue
        wanted = {signal.SIGINT: (130, -2), signal.SIGTERM: (143, -15), signal.SIGKILL: (-9,)}
        assert process.returncode in wanted[blow], words
        assert "Traceback" not in words
        struck_.append(before)
    print(f"{kind}: struck at work {len(struck_)} times, with {struck_} frames made")
    result = call_cli(*arguments, cwd=inputs)
    assert result.returncode == 0, result.stderr
    must_equal(folder, unbroken)
    return lost


@each_kind
def test_signals_at_random_instants(kind, inputs, whole, tmp_path):
    blows = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    assert struck(kind, blows, inputs, tmp_path / "film.mp4", whole(*KINDS[kind])) == 0


@pytest.mark.long
@each_kind
def test_fifty_kills(kind, inputs, whole, tmp_path):
    blows = (signal.SIGKILL,) * 17
    assert struck(kind, blows, inputs, tmp_path / "film.mp4", whole(*KINDS[kind])) == 0


def test_a_second_interrupt_leaves_at_once(inputs, whole, tmp_path):
    out = tmp_path / "film.mp4"
    folder = Path(f"{out}.dream")
    process = begun(*KINDS["zoom"], "-o", out, cwd=inputs)
    wait_for(lambda: finished(folder) >= 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode in (130, -2)
    assert "Traceback" not in words
    assert call_cli("resume", folder, "--quiet").returncode == 0
    must_equal(folder, whole(*KINDS["zoom"]))


def test_an_interrupt_before_anything_is_made(inputs, tmp_path):
    process = begun(*KINDS["zoom"], "-o", tmp_path / "film.mp4", cwd=inputs)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode in (130, -2)
    assert "Traceback" not in words
    assert not list(tmp_path.iterdir())


class Disk:
    """A small disk of its own."""

    PAGE = 4096

    def __init__(self, folder):
        self.folder, self.filler = folder, folder / "filler"

    def leave(self, pages):
        """Fill it up to that many pages."""
        self.filler.unlink(missing_ok=True)
        free = shutil.disk_usage(self.folder).free - pages * self.PAGE
        self.filler.write_bytes(bytes(max(0, free)))


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting takes root")
    yield Disk(folder)
    subprocess.run(["umount", folder], check=True)


def full_at_every_page(kind, step, inputs, disk, unbroken):
    """Let a job find the disk full after ever more pages; how often that was."""
    out = disk.folder / "film.mp4"
    folder = Path(f"{out}.dream")
    for times, pages in enumerate(range(0, 10_000, step)):
        disk.leave(pages)
        result = call_cli(*KINDS[kind], "-o", out, cwd=inputs)
        if result.returncode == 0:
            return times
        must_be_told(result, 74, "No space left")
        assert not out.exists()
        assert not list(disk.folder.rglob(".*")), pages
        disk.leave(400)
        result = call_cli(*KINDS[kind], "-o", out, cwd=inputs)
        assert result.returncode == 0, result.stderr
        must_equal(folder, unbroken)
        shutil.rmtree(folder)
        out.unlink()
    raise AssertionError("the disk was never large enough")


@pytest.mark.parametrize(("kind", "step"), [("zoom", 6), ("loop", 19), ("video", 11)])
def test_a_disk_that_is_full_after_ever_more_pages(kind, step, inputs, disk, whole):
    assert full_at_every_page(kind, step, inputs, disk, whole(*KINDS[kind])) > 3


@pytest.mark.long
@each_kind
def test_a_disk_that_is_full_at_every_page(kind, inputs, disk, whole):
    assert full_at_every_page(kind, 1, inputs, disk, whole(*KINDS[kind])) > 30


@pytest.mark.parametrize("limit", [10, 1000, 9000])
def test_files_that_may_grow_no_larger(limit, inputs, tmp_path, whole):
    out = tmp_path / "film.mp4"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        result = call_cli(*KINDS["zoom"], "-o", out, cwd=inputs)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    must_be_told(result, 74, "File too large")
    assert not out.exists()
    assert call_cli(*KINDS["zoom"], "-o", out, cwd=inputs).returncode == 0
    must_equal(Path(f"{out}.dream"), whole(*KINDS["zoom"]))


@contextlib.contextmanager
def read_only(folder):
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        pytest.skip("mounting takes root")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_folder(inputs, tmp_path, whole):
    folder = tmp_path / "shut"
    folder.mkdir()
    out = folder / "film.mp4"
    with read_only(folder):
        must_be_told(call_cli(*KINDS["zoom"], "-o", out, cwd=inputs), 74, "Read-only")
    assert not list(folder.iterdir())
    few = [*KINDS["zoom"]]
    few[few.index("--frames") + 1] = 3
    assert call_cli(*few, "-o", out, cwd=inputs).returncode == 0
    longer = ("resume", f"{out}.dream", "--frames", 12, "--overwrite", "--quiet")
    with read_only(folder):
        must_be_told(call_cli(*longer), 74, "Read-only")
        must_be_told(call_cli(*KINDS["zoom"], "-o", out, "--overwrite", cwd=inputs), 74)
    assert call_cli(*longer).returncode == 0
    assert frames_in(Path(f"{out}.dream")) == frames_in(whole(*KINDS["zoom"]))


@pytest.fixture
def wrapped(tmp_path_factory, monkeypatch):
    """The real ffmpeg, each of whose runs leaves its number and what it was told to do."""
    tools = tmp_path_factory.mktemp("tools")
    script = tools / "ffmpeg"
    real = imageio_ffmpeg.get_ffmpeg_exe()
    script.write_text(f'#!/bin/sh\necho "$*" > {tools}/$$.run\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(script))
    return tools


@contextlib.contextmanager
def striking(tools, words, blow, delay):
    """Strike the first ffmpeg whose command holds `words`, `delay` seconds after its start."""
    struck, over = [], threading.Event()

    def strike():
        while not over.wait(0.001):
            for run in tools.glob("*.run"):
                with contextlib.suppress(OSError):
                    if words in run.read_text():
                        time.sleep(delay)
                        os.kill(int(run.stem), blow)
                        struck.append(run)
                        return

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield struck
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("delay", [0, 0.02, 0.06, 0.1])
@pytest.mark.parametrize("job", ["encoding", "decoding"])
def test_ffmpeg_is_killed(job, delay, wrapped, inputs, tmp_path, whole):
    kind, words = ("zoom", "libx264") if job == "encoding" else ("video", "-stats_enc_pre")
    out = tmp_path / "film.mp4"
    with striking(wrapped, words, signal.SIGKILL, delay) as struck_:
        result = call_cli(*KINDS[kind], "-o", out, cwd=inputs)
    if not struck_:
        assert result.returncode == 0
    elif result.returncode:
        must_be_told(result, 1, "signal 9")
        assert not out.exists()
        assert not list(tmp_path.rglob(".*"))
        # It may have been struck while the film was still being looked at.
        begun = Path(f"{out}.dream").exists()
        again = ("resume", f"{out}.dream", "--quiet") if begun else (*KINDS[kind], "-o", out)
        assert call_cli(*again, cwd=inputs).returncode == 0
    must_equal(Path(f"{out}.dream"), whole(*KINDS[kind]))


@pytest.mark.long
def test_a_frozen_ffmpeg_is_given_up(wrapped, inputs, tmp_path, whole):
    out = tmp_path / "film.mp4"
    with striking(wrapped, "libx264", signal.SIGSTOP, 0.01):
        must_be_told(call_cli(*KINDS["zoom"], "-o", out, cwd=inputs), 1, "did nothing for 60 s")
    assert not out.exists()
    assert call_cli("resume", f"{out}.dream", "--quiet").returncode == 0
    must_equal(Path(f"{out}.dream"), whole(*KINDS["zoom"]))


@pytest.mark.parametrize("what", ["missing", "not executable", "a folder", "another program"])
def test_no_ffmpeg_is_told_before_any_frame(what, inputs, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    exe = tools / "ffmpeg"
    if what == "a folder":
        exe.mkdir()
    elif what != "missing":
        exe.write_text("#!/bin/sh\nexit 3\n")
        exe.chmod(0o755 if what == "another program" else 0o644)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(exe))
    result = call_cli(*KINDS["zoom"], "-o", tmp_path / "film.mp4", cwd=inputs)
    must_be_told(result, 1, "IMAGEIO_FFMPEG_EXE")
    assert [path.name for path in tmp_path.iterdir()] == ["tools"]


def truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def emptied(path):
    path.write_bytes(b"")


def zeroed(path):
    path.write_bytes(bytes(path.stat().st_size))


def foreign(path):
    media.write_picture(torch.rand(3, 64, 96), path)


def removed(path):
    path.unlink()


FRAME, JOURNAL = "frames/000004.png", "journal.jsonl"


def torn_line(path):
    path.write_text(path.read_text()[:-30])


def lengthened(path):
    last = path.read_text().splitlines()[-1]
    path.write_text(path.read_text() + last.replace('"index": 11', '"index": 12') + "\n")


def garbled(path):
    path.write_bytes(b"\xff\xfe\x00{" * 999)


HARMS = [
    *((FRAME, harm) for harm in (truncated, emptied, zeroed, foreign, removed)),
    *((JOURNAL, harm) for harm in (torn_line, lengthened, garbled, emptied, zeroed, removed)),
]


@pytest.mark.parametrize(("name", "harm"), HARMS)
def test_harm_to_a_job_is_mended(name, harm, whole, tmp_path):
    unbroken = whole(*KINDS["zoom"])
    folder, out = tmp_path / "film.mp4.dream", tmp_path / "film.mp4"
    shutil.copytree(unbroken, folder)
    harm(folder / name)
    result = call_cli("encode", folder, "-o", tmp_path / "part.mp4", "--quiet")
    assert result.returncode == (2 if finished(folder) == 0 else 0), result.stderr
    (tmp_path / "part.mp4").unlink(missing_ok=True)
    manifest = folder / "job.json"
    manifest.write_text(manifest.read_text().replace(str(unbroken.with_suffix("")), str(out)))
    result = call_cli("resume", folder, "--quiet")
    assert result.returncode == 0, result.stderr
    must_equal(folder, unbroken)


@pytest.mark.parametrize("harm", [truncated, emptied, zeroed, garbled, removed])
def test_a_harmed_manifest_is_refused(harm, whole, tmp_path):
    folder = tmp_path / "film.mp4.dream"
    shutil.copytree(whole(*KINDS["zoom"]), folder)
    harm(folder / "job.json")
    before = frames_in(folder)
    for command in ("resume", "encode"):
        must_be_told(call_cli(command, folder), 2, "job.json")
    assert frames_in(folder) == before


def test_a_folder_in_a_frames_place_is_left_alone(whole, tmp_path):
    folder = tmp_path / "film.mp4.dream"
    shutil.copytree(whole(*KINDS["zoom"]), folder)
    (folder / FRAME).unlink()
    (folder / FRAME).mkdir()
    must_be_told(call_cli("resume", folder, "--frames", 14, "--overwrite"), 74, "000004.png")
    assert (folder / FRAME).is_dir()
    assert finished(folder) == 4


def test_two_runs_of_one_job(inputs, tmp_path, whole):
    out = tmp_path / "film.mp4"
    folder = Path(f"{out}.dream")
    slow = (*KINDS["zoom"], "--set", "ascent.later=2000")
    process = begun(*slow, "-o", out, cwd=inputs)
    wait_for(lambda: finished(folder) >= 1)
    for command in (
        ("resume", folder),
        ("encode", folder, "-o", tmp_path / "part.gif"),
        (*slow, "-o", out),
        (*KINDS["zoom"], "-o", out, "--overwrite"),
    ):
        must_be_told(call_cli(*command, cwd=inputs), 75, "another run")
    process.terminate()
    assert process.wait(60) == 143
    assert process.stderr is not None
    process.stderr.close()
    assert finished(folder) >= 1


def test_memory_that_runs_out_costs_no_frame(inputs, tmp_path, monkeypatch):
    """Smaller tiles and the same frame: a limit on pixels plays a full GPU."""
    flags = ("--size", "384x256", "--octaves", 1, "--iterations", 2, "--layer", "conv2")
    flags += ("--precision", "fp32", "--set", "machine.threads=1")
    assert call_cli("image", "seed.png", "-o", tmp_path / "a.png", *flags, cwd=inputs).stderr == ""
    real, sizes = ascent.gain_and_gradients, []

    def limited(image, *rest, **named):
        sizes.append(image.shape[-2] * image.shape[-1])
        if sizes[-1] > 40_000:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(image, *rest, **named)

    monkeypatch.setattr(ascent, "gain_and_gradients", limited)
    result = call_cli("image", "seed.png", "-o", tmp_path / "b.png", *flags, cwd=inputs)
    assert result.returncode == 0, result.stderr
    assert min(sizes) < 40_000 < max(sizes)
    one, other = (media.read_png(tmp_path / name) for name in ("a.png", "b.png"))
    assert (one - other).abs().max() <= 2 / 255


def test_gradients_that_are_not_finite(inputs, tmp_path):
    """Weights so large that the network overflows: steps are skipped and told, no frame is bad."""
    net = network("pocket")
    state = {name: tensor.float().contiguous() for name, tensor in net.state_dict().items()}
    name = next(name for name in state if name.endswith("weight") and state[name].ndim == 4)
    state[name] *= 1e38 / state[name].abs().max()
    save_file(state, tmp_path / "huge.safetensors")
    talking = [each for each in KINDS["zoom"] if each != "--quiet"]
    flags = ("--weights", tmp_path / "huge.safetensors", "--precision", "fp32", "--frames", 3)
    result = call_cli(*talking, *flags, "-o", tmp_path / "film.mp4", cwd=inputs)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("skipped, gradient not finite") == 3
    assert len(list(media.frames_of(tmp_path / "film.mp4"))) == 3


@each_kind
def test_changed_settings_are_refused_with_the_differences(kind, inputs, whole):
    folder = whole(*KINDS[kind])
    before = frames_in(folder)
    changed = ("--iterations", 3, "--set", "octaves.scale=1.7", "--set", "encode.crf=30")
    out = ("-o", folder.parent / f"other-{kind}.mp4", "--job", folder)
    result = call_cli(*KINDS[kind], *changed, *out, cwd=inputs)
    must_be_told(result, 2, "ascent.iterations 1 -> 3; octaves.scale 1.4 -> 1.7")
    assert "crf" not in result.stderr
    assert frames_in(folder) == before
    assert not out[1].exists()


def test_a_clock_that_goes_backwards(inputs, tmp_path, whole, monkeypatch):
    out = tmp_path / "film.mp4"
    folder = Path(f"{out}.dream")
    few = [*KINDS["zoom"]]
    few[few.index("--frames") + 1] = 5
    assert call_cli(*few, "-o", out, cwd=inputs).returncode == 0
    for path in (*folder.rglob("*"), folder, out):
        os.utime(path, (4e9, 4e9))  # written in the year 2096
    now = time.time()
    moments = (now - 3600 * step for step in range(10**6))
    monkeypatch.setattr(time, "time", lambda: next(moments))
    result = call_cli("resume", folder, "--frames", 12, "--overwrite", "--quiet")
    assert result.returncode == 0, result.stderr
    assert frames_in(folder) == frames_in(whole(*KINDS["zoom"]))


def test_folders_deleted_under_a_run(inputs, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    folder = place / "film.mp4.dream"
    slow = (*KINDS["zoom"], "--set", "ascent.later=2000")
    process = begun(*slow, "-o", place / "film.mp4", cwd=inputs)
    wait_for(lambda: finished(folder) >= 1)
    place.rename(tmp_path / "gone")
    _, words = process.communicate(timeout=60)
    assert process.returncode == 74
    assert len(words.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["gone"]
    assert finished(tmp_path / "gone" / "film.mp4.dream") >= 1


def in_shell(script, *arguments):
    """A shell script in which "$@" is dreamvid with arguments."""
    command = [sys.executable, "-m", "dreamvid", *map(str, arguments)]
    return subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, text=True)


@pytest.mark.parametrize("out", ["film.mp4", None])
def test_the_working_folder_is_deleted(out, inputs, tmp_path):
    arguments = [str(inputs / each) if each == "seed.png" else each for each in KINDS["zoom"]]
    arguments += ["-o", out if out else tmp_path / "film.mp4"]
    here = tmp_path / "here"
    here.mkdir()
    result = in_shell(f'cd {here} && rmdir {here} && exec "$@"', *arguments)
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.returncode == 74, result.stderr
    assert "working folder is gone" in result.stderr


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_change_nothing(streams, inputs, tmp_path, whole):
    talking = [each for each in KINDS["zoom"] if each != "--quiet"]
    arguments = [str(inputs / each) if each == "seed.png" else each for each in talking]
    out = tmp_path / "film.mp4"
    result = in_shell(f'exec "$@" {streams}', *arguments, "-o", out)
    assert result.returncode == 0, result.stderr
    must_equal(Path(f"{out}.dream"), whole(*KINDS["zoom"]))


def test_readers_that_have_gone_change_nothing(inputs, tmp_path, whole):
    """As in ``dreamvid zoom … 2>&1 | head -c 1``."""
    talking = [each for each in KINDS["zoom"] if each != "--quiet"]
    reading, writing = os.pipe()
    out = tmp_path / "film.mp4"
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamvid", *map(str, talking), "-o", out],
        cwd=inputs,
        stdout=writing,
        stderr=writing,
    )
    os.close(writing)
    assert os.read(reading, 1)
    os.close(reading)
    assert process.wait(100) == 0
    must_equal(Path(f"{out}.dream"), whole(*KINDS["zoom"]))
    listing = in_shell('"$@" | head -c 1 >/dev/null', "list", "networks")
    assert "Traceback" not in listing.stderr


def test_the_way_is_told_beforehand(inputs, tmp_path):
    talking = [each for each in KINDS["zoom"] if each != "--quiet"]
    result = call_cli(*talking, "-o", tmp_path / "film.mp4", cwd=inputs)
    lines = result.stderr.splitlines()
    assert "12 frames of 96x64 take about 155 kB of disk, " in lines[0]
    assert "the first took " in lines[1]
    assert ", 11 more about 0:0" in lines[1]
    assert "memory: " in lines[1]
    taken = sum(map(len, frames_in(tmp_path / "film.mp4.dream").values()))
    assert 0.75 < taken / 155_000 < 1.25


def test_a_film_stops_before_the_disk_is_full(inputs, disk, whole):
    out = disk.folder / "film.mp4"
    folder = Path(f"{out}.dream")
    result = call_cli(*KINDS["zoom"], "-o", out, "--min-free", "999 TB", cwd=inputs)
    must_be_told(result, 74, f"`dreamvid resume {folder}`")
    assert finished(folder) == 0
    free = shutil.disk_usage(disk.folder).free
    result = call_cli("resume", folder, "--min-free", free - 100_000, "--quiet")
    must_be_told(result, 74, f"`dreamvid resume {folder}`")
    assert 2 <= finished(folder) <= 8
    assert not list(disk.folder.rglob(".*"))
    assert call_cli("resume", folder, "--min-free", 0, "--quiet").returncode == 0
    must_equal(folder, whole(*KINDS["zoom"]))


@pytest.mark.parametrize("text", ["much", "-1", "1e9", "nan", "2PB", "true", "1.5.2GB"])
def test_a_bad_share_is_refused_before_anything_is_made(text, inputs, tmp_path):
    out = tmp_path / "film.mp4"
    result = call_cli(*KINDS["zoom"], "-o", out, f"--min-free={text}", cwd=inputs)
    must_be_told(result, 2, "machine.min_free")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_two_thousand_frames_in_one_job(inputs, tmp_path):
    """Memory and open files stay as they were."""
    out = tmp_path / "frames"
    flags = ("--size", "48x36", "--octaves", 1, "--iterations", 1, "--frames", 2000)
    process = begun("zoom", "seed.png", *SMALL, *flags, "-o", out, cwd=inputs)
    frames, proc = Path(f"{out}.dream/frames"), Path(f"/proc/{process.pid}")
    seen = []
    for count in (200, 600, 1000, 1400, 1800):
        wait_for(lambda: (frames / f"{count:06d}.png").exists())  # noqa: B023
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        seen.append((int(status["VmRSS"].split()[0]), len(list((proc / "fd").iterdir()))))
    _, words = process.communicate(timeout=500)
    print("resident kB and open files:", seen)
    assert process.returncode == 0, words
    assert len(list(out.iterdir())) == 2000
    assert max(memory for memory, _ in seen) - seen[0][0] < 20_000
    assert max(files for _, files in seen) <= seen[0][1] + 2
