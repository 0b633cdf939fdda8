import json
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import run_cli

import dreamvid
from dreamvid import media
from dreamvid.frames import Size, covered, photographic

SMALL = ("--octaves", "2", "--iterations", "2", "--quiet")
SEED = Path(__file__).parents[1] / "samples" / "seed.jpg"


@pytest.fixture
def seed(tmp_path, picture):
    path = tmp_path / "seed.png"
    media.write_picture(picture, path)
    return path


def processor_seconds(call):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_takes_little_more_than_what_prints_it_and_loads_no_torch():
    result = run_cli("--help")
    assert result.returncode == 0
    assert "zoom" in result.stdout
    bare = [sys.executable, "-c", "import typer.main, rich.console, rich.table, rich.panel"]
    # In turn, and the best of each: others may be at work on this machine.
    pairs = [
        (
            processor_seconds(lambda: run_cli("--help")),
            processor_seconds(lambda: subprocess.run(bare, check=True)),
        )
        for _ in range(4)
    ]
    ours, theirs = map(min, zip(*pairs, strict=True))
    print(
        f"dreamvid --help: {ours:.2f} s of CPU time, {ours / theirs:.2f} of loading typer and rich"
    )
    assert ours < 2 * theirs
    code = "import sys; sys.argv[1:] = ['--help']\ntry: import dreamvid.__main__\n"
    code += "except SystemExit: sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_the_main_job(tmp_path):
    """Thirty frames of the sample seed, at the size and rate asked for, in the right colours."""
    out = tmp_path / "film.mp4"
    result = run_cli("zoom", SEED, "-o", out, "--frames", 30, "--size", 480, *SMALL)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out}\n"
    film = media.probe(out)
    assert (film.width, film.height) == (480, 300)
    assert film.rate == Fraction(30)
    decoded = list(media.frames_of(out))
    assert len(decoded) == 30
    written = sorted(Path(f"{out}.dream/frames").iterdir())
    assert len(written) == 30
    differences = np.stack(
        [
            np.asarray(shown, float) - media.read_png(path).permute(1, 2, 0).numpy() * 255
            for shown, path in zip(decoded, written, strict=True)
        ]
    )
    areas = differences[:, :296].reshape(30, 37, 8, 60, 8, 3).mean((2, 4))
    shift = np.abs(differences.mean((0, 1, 2)))
    print(
        f"colour error of 255: {shift.max():.2f} over the film, {np.abs(areas).mean():.2f} over "
        f"areas of 8x8, {np.abs(differences).mean():.2f} of single pixels"
    )
    # Halved chroma cannot hold a dream's finest colours pixel by pixel; what is seen must be right.
    assert shift.max() <= 1
    assert np.abs(areas).mean() <= 2
    assert media.probe(out).matrix == media.probe(out).primaries == media.probe(out).transfer == 1


def test_a_film_remembers_its_settings(seed, tmp_path):
    out = tmp_path / "film.mp4"
    made = run_cli(
        "zoom", seed, "-o", out, "--frames", 2, "--size", "96x64", "--seed", 9,
        "--motion", "pan,zoom", "--set", "motion.pan.x=0.3", *SMALL,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    again = tmp_path / "again.mp4"
    copied = run_cli("zoom", seed, "-o", again, "--config", out, "--size", "96x64", "--quiet")
    assert copied.returncode == 0, copied.stderr
    for index in range(2):
        name = f"frames/{index:06d}.png"
        assert (Path(f"{again}.dream") / name).read_bytes() == (
            Path(f"{out}.dream") / name
        ).read_bytes()
    manifest = json.loads((Path(f"{again}.dream") / "job.json").read_text())
    assert list(manifest["settings"]["motion"]) == ["pan", "zoom"]
    assert manifest["settings"]["motion"]["pan"] == {"x": 0.3}


@pytest.mark.parametrize("suffix", ["webm", "gif", "webp", "apng", "mov"])
def test_other_formats(seed, tmp_path, suffix):
    out = tmp_path / f"film.{suffix}"
    result = run_cli("zoom", seed, "-o", out, "--frames", 3, "--size", "95x65", *SMALL)
    assert result.returncode == 0, result.stderr
    assert out.stat().st_size > 100


def test_an_odd_size_is_padded_and_said(seed, tmp_path):
    out = tmp_path / "film.mp4"
    arguments = ["--octaves", "2", "--iterations", "1", "--frames", 1, "--size", "95x65"]
    result = run_cli("zoom", seed, "-o", out, *arguments)
    assert result.returncode == 0
    assert "96x66" in result.stderr
    assert (media.probe(out).width, media.probe(out).height) == (96, 66)


def test_one_picture(seed, tmp_path):
    out = tmp_path / "dream.png"
    result = run_cli("image", seed, "-o", out, "--octaves", 2)
    assert result.returncode == 0, result.stderr
    before, after = media.read_picture(seed), media.read_picture(out)
    assert before.shape == after.shape
    assert 0.01 < (after - before).abs().mean() < 0.3
    assert json.loads(media.read_metadata(out)["comment"])["kind"] == "image"


def test_the_python_doors(seed, tmp_path):
    film = dreamvid.zoom(
        seed,
        tmp_path / "film.mp4",
        frames=2,
        size="96x64",
        octaves=2,
        settings={"ascent": {"iterations": 1}},
    )
    assert len(list(media.frames_of(film))) == 2
    picture = dreamvid.image(seed, tmp_path / "dream.png", octaves=2, iterations=1)
    assert media.read_picture(picture).shape == (3, 60, 92)


@pytest.mark.parametrize(
    "kind", ["networks", "objectives", "motions", "presets", "encoders", "layers", "settings"]
)
def test_lists(kind):
    result = run_cli("list", kind)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) > 1
    named = {"networks": "googlenet", "motions": "zoom", "presets": "google-2015"}
    assert named.get(kind, "") in result.stdout


def test_a_reader_that_has_gone_changes_nothing(seed, tmp_path):
    for number, redirection in enumerate((">&-", "> /dev/full", "| true")):
        out = tmp_path / f"dream{number}.png"
        command = f"{sys.executable} -m dreamvid image {seed} -o {out} --octaves 1 --iterations 1"
        result = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, ""), redirection
        assert out.exists()


def test_a_seed_of_another_shape_is_cropped_not_squashed(tmp_path):
    wide = torch.zeros(3, 64, 192)
    wide[:, :, 64:128] = 1
    covered_middle = covered(wide, Size(96, 96))
    assert covered_middle.min() > 0.99
    assert torch.equal(covered(wide, Size(64, 192)), wide)


@pytest.fixture
def bad_inputs(tmp_path, picture):
    """A folder of things that are no seeds, and one that is."""
    folder = tmp_path / "in"
    folder.mkdir()
    media.write_picture(picture, folder / "good.png")
    (folder / "text.jpg").write_text("no picture")
    media.write_picture(picture, folder / "whole.jpg")
    (folder / "torn.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:900])
    media.write_picture(photographic(picture, Size(16, 16)), folder / "tiny.png")
    (folder / "there.mp4").write_bytes(b"older")
    (folder / "other.safetensors").write_bytes(safetensors_of_another_network())
    return folder


def safetensors_of_another_network():
    import torch
    from safetensors.torch import save

    return save({"fc.weight": torch.zeros(3, 4)})


BAD = {
    "missing": (["missing.jpg"], "missing.jpg"),
    "text": (["text.jpg"], "text.jpg"),
    "torn": (["torn.jpg"], "torn.jpg"),
    "tiny": (["tiny.png"], "16"),
    "too small to dream": (["good.png", "--size", "24", "--octaves", "6"], "film.size: got 24x"),
    "layer": (["good.png", "--layer", "4x"], "did you mean '4"),
    "channel": (["good.png", "--layer", "4c:512"], "0 to 511"),
    "preset": (["good.png", "--preset", "defualt"], "did you mean 'default'"),
    "network": (["good.png", "--network", "pockett"], "did you mean 'pocket'"),
    "weights": (["good.png", "--weights", "other.safetensors"], "other.safetensors"),
    "no weights": (["good.png", "--network", "googlenet"], "--weights"),
    "no frames": (["good.png", "--frames", "0"], "film.frames"),
    "too many frames": (["good.png", "--frames", "1e9"], "film.frames"),
    "words for frames": (["good.png", "--frames", "many"], "film.frames"),
    "fps": (["good.png", "--fps", "nan"], "film.fps"),
    "no fps": (["good.png", "--fps", "0"], "film.fps: got 0, expected"),
    "size": (["good.png", "--size", "0"], "size"),
    "motion": (["good.png", "--motion", "zoom,spinn"], "did you mean 'spin'"),
    "zoom rate": (["good.png", "--set", "motion.zoom.rate=0"], "motion.zoom.rate"),
    "seed": (["good.png", "--seed", "-1"], "film.seed"),
    "device": (["good.png", "--device", "gpu9"], "machine.device"),
    "no folder": (["good.png", "-o", "nowhere/film.mp4"], "nowhere"),
    "existing": (["good.png", "-o", "there.mp4"], "--overwrite"),
    "suffix": (["good.png", "-o", "film.xyz"], "xyz"),
    "encoder option": (["good.png", "--set", "encode.crf=99"], "encode.crf"),
    "itself": (["good.png", "-o", "good.png", "--overwrite"], "good.png"),
    "flag": (["good.png", "--frame-rate", "3"], "--frame-rate"),
    "config": (["good.png", "--config", "text.jpg"], "text.jpg"),
    "objective": (["good.png", "--set", "objective.name=[]"], "objective"),
    "a long number": (["good.png", "--frames", "9" * 5000], "film.frames"),
    "a huge rate": (["good.png", "--fps", ".1e99999999"], "film.fps"),
    "no such device": (["good.png", "--device", "meta"], "machine.device"),
    "job under a file": (["good.png", "--job", "good.png/x"], "good.png"),
    "job is a file": (["good.png", "--job", "whole.jpg", "--overwrite"], "whole.jpg"),
    "job is the film": (["good.png", "-o", "c.mp4", "--job", "c.mp4"], "--job"),
    "long job name": (["good.png", "--job", "j" * 300], "jjj"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(case, bad_inputs):
    arguments, words = BAD[case]
    before = {path: path.read_bytes() for path in bad_inputs.iterdir()}
    result = run_cli("zoom", *arguments, cwd=bad_inputs)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert words in result.stderr
    assert {path: path.read_bytes() for path in bad_inputs.iterdir()} == before
