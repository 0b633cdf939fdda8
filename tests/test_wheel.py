"""What is given to others: names for any system, the citation, the wheel and the sdist."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import unicodedata
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import call_cli

import dreamvid
from dreamvid import media
from dreamvid.frames import Size, noise

ROOT = Path(__file__).parents[1]
RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}
"""Names that Windows keeps for devices, with any suffix."""
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[ .]$')
LONGEST = 200
"""Characters of a path; Windows takes 260, those of the folder around it included."""


def troubles(paths):
    """What Windows or macOS could not hold, or would take for one file."""
    seen = {}
    for path in paths:
        for part in path.parts:
            if FORBIDDEN.search(part) or part.split(".")[0].lower() in RESERVED:
                yield f"{path}: {part}"
        if len(str(path)) > LONGEST:
            yield f"{path}: too long"
        folded = unicodedata.normalize("NFC", str(path)).casefold()
        if seen.setdefault(folded, path) != path:
            yield f"{path} and {seen[folded]} are one"


def ours():
    for folder in ("dreamvid", "presets", "docs", "samples", "tests", "examples", "integrations"):
        for path in (ROOT / folder).rglob("*"):
            if "__pycache__" not in path.parts:
                yield path.relative_to(ROOT)


@pytest.mark.parametrize(
    "name", ["a/aux.py", "a:b", "what?.png", "end.", "A/x", "Ü.txt", "x" * 201, 'say "x"']
)
def test_troubles_are_found(name):
    assert list(troubles(map(Path, [name, "a/X", "U\u0308.txt", "A/X"])))


def test_every_file_has_a_name_that_any_system_can_hold():
    assert not list(troubles(ours()))


def test_every_file_that_a_film_leaves_has_one_too(tmp_path):
    media.write_picture(noise(Size(48, 64), (3,)), tmp_path / "seed.png")
    small = ("--size", "64x48", "--octaves", 1, "--iterations", 1, "--frames", 3, "--preview")
    made = call_cli("zoom", "seed.png", *small, "-o", "fall.gif", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*")]
    assert any("frames" in path.parts for path in left)
    assert not list(troubles(left))


def test_the_citation_is_of_this_version_and_names_the_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == dreamvid.__version__
    assert citation["cff-version"] == "1.2.0"
    told = "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    for paper in citation["references"]:
        assert paper["title"]
        assert all(each["family-names"] for each in paper["authors"])
        assert paper["authors"][0]["family-names"] in told, "no page names it"


def test_what_the_sdist_holds_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for name in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]:
        assert (ROOT / name).exists(), name


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the sdist, built from a copy without what git does not know."""
    for name in ("build", "twine"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")
    folder = tmp_path_factory.mktemp("built")
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in files.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "copy" / name)
    command = [sys.executable, "-m", "build", "--outdir", folder, folder / "copy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


@pytest.mark.long
def test_the_wheel_and_the_sdist_hold_what_they_must(built):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    data = {"presets/default.toml", "networks/pocket.safetensors", "py.typed", "__init__.pyi"}
    assert {f"dreamvid/{name}" for name in data} <= set(names)
    assert not [name for name in names if name.startswith(("tests", "samples"))]
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ["README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "presets/default.toml"]
    assert {*wanted, "tests/test_wheel.py", "samples/seed.jpg", "docs/conf.py"} <= inside
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", wheel, sdist],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_a_clean_environment_makes_a_film_from_the_wheel_alone(built, tmp_path):
    """The libraries are those of this environment; of dreamvid there is only the wheel."""
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True)
    (packages,) = (tmp_path / "clean").glob("lib/python*/site-packages")
    elsewhere = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(elsewhere))
    media.write_picture(noise(Size(48, 64), (3,)), tmp_path / "seed.png")
    program = tmp_path / "clean" / "bin" / "dreamvid"
    small = ["--size", "64x48", "--octaves", "1", "--iterations", "1", "--frames", "3"]
    for words in (["zoom", "seed.png", *small], ["doctor"], ["completion", "bash"]):
        done = subprocess.run(
            [program, *words], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert str(ROOT / "dreamvid") not in done.stdout
    assert (tmp_path / "seed-zoom.mp4").stat().st_size > 1000
