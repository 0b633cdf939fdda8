"""The course as a command: a teacher and photographs in, pocket's file with a head of words out."""

import argparse
import sys
import time
from pathlib import Path

import torch

from dreamvid.errors import DreamvidError, MediaError, NetworkError, ResumeError
from dreamvid.media import atomic_write
from dreamvid.networks import network
from dreamvid.networks import weights as weights_files
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.pocket import EARLIER, EMBEDDED, WORDS, Pocket
from dreamvid.training.distil.checkpoints import read_checkpoint
from dreamvid.training.distil.pool import HELD_OUT_EVERY, HELD_OUT_FIRST, files_in, read_photographs
from dreamvid.training.words.course import Course, Recipe

CLASSES = 1000


def main(arguments: list[str] | None = None) -> None:
    """Run the course and write the file; what goes wrong is told in one line."""
    asked = _parser().parse_args(arguments)
    recipe = Recipe(rounds=asked.rounds, seed=asked.seed)
    try:
        course = begun(asked.teacher, asked.photographs, recipe)
        run(course, asked.out.with_suffix(".course.pt"), asked.every)
        write(asked.out, course)
    except DreamvidError as error:
        sys.exit(f"words: {error}")


def begun(teacher: Path, photographs: Path, recipe: Recipe) -> Course:
    """The course at its first round.

    Args:
        teacher: the weights of BVLC GoogLeNet.
        photographs: a folder of a thousand pictures. Sorted by name, the first shows ImageNet's
            first class, and so on. Every twentieth is left out.
        recipe: the numbers.
    """
    files = files_in(photographs)
    if len(files) != CLASSES:
        raise MediaError(
            f"{photographs}: {len(files)} files, expected {CLASSES}, one of each class"
        )
    classes = [n for n in range(CLASSES) if n % HELD_OUT_EVERY != HELD_OUT_FIRST]
    pictures = [read_photographs([files[number]], 1, _say)[0] for number in classes]
    taught = network("googlenet", weights=teacher, precision="fp32")
    student = network("pocket", precision="fp32")
    if taught.head is None:
        raise NetworkError(f"{teacher}: has no class head, and that is what is taught")
    assert isinstance(taught, GoogLeNet)
    assert isinstance(student, Pocket)
    return Course(taught, student, pictures, classes, recipe)


def run(course: Course, checkpoint: Path, every: int) -> None:
    """Teach to the last round; go on from `checkpoint` where there is one, and write it."""
    if checkpoint.exists():
        state = read_checkpoint(checkpoint)
        if state["recipe"][1:] != tuple(course.recipe)[1:]:
            raise ResumeError(f"{checkpoint}: of another recipe; remove it, or ask for the same")
        course.restore(state)
    begin = time.monotonic()
    while course.round < course.recipe.rounds:
        losses = course.advance()
        if course.round % 10 == 0:
            told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            _say(f"round {course.round} {time.monotonic() - begin:.0f} s {told}")
        if course.round % every == 0 or course.round == course.recipe.rounds:
            with atomic_write(checkpoint) as part:
                torch.save({**course.state(), "recipe": tuple(course.recipe)}, part)


def write(out: Path, course: Course) -> None:
    """Write pocket's own tensors as they are, and the head beside them with 16 bits."""
    found = weights_files.read(EMBEDDED, "pocket")
    tensors = {key: each for key, each in found.tensors.items() if not key.startswith(WORDS)}
    head = {f"{WORDS}{key}": each.half().contiguous() for key, each in course.average.items()}
    about = {**found.metadata, EARLIER: found.metadata.get(EARLIER, found.sha256)}
    weights_files.write(out, tensors | head, about)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m dreamvid.training.words", description=__doc__)
    parser.add_argument("teacher", type=Path, help="weights of BVLC GoogLeNet")
    parser.add_argument("photographs", type=Path, help="a folder of one picture of each class")
    parser.add_argument("out", type=Path, help="a .safetensors file for --network pocket")
    parser.add_argument("--rounds", type=int, default=Recipe().rounds)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=25, help="rounds between checkpoints")
    return parser


if __name__ == "__main__":
    main()
