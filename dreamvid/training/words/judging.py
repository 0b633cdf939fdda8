"""How often the teacher names what was asked for: the number that a head of words should raise.

::

    python -m dreamvid.training.words.judging TEACHER.safetensors samples/seed.jpg --classes 100

A word is dreamed as ``dreamvid image --of`` does, from a picture or from noise, and the teacher
looks at the middle of the dream, 224 pixels a side. With ``--network googlenet`` the teacher itself
dreams.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from dreamvid.dream.dreamer import Dreamer
from dreamvid.errors import DreamvidError
from dreamvid.frames import Frame, Size, noise, photographic, size_of
from dreamvid.media import read_picture
from dreamvid.networks import network, words
from dreamvid.networks.base import Network
from dreamvid.settings import flagged, presets
from dreamvid.sizes import parsed_size
from dreamvid.training.distil.fidelity import middle

CROP = 224
SIDE = 320
SEED = 22


class Judgement(NamedTuple):
    """What the teacher says of a dream."""

    word: str
    rank: int
    """Of the asked class among all: 1 is the first."""
    probability: float
    dream: Frame


def drawn(count: int, seed: int = SEED) -> list[int]:
    """So many classes, drawn by a seed; fewer of one seed are the first of more."""
    return random.Random(seed).sample(range(len(words.names())), 100)[:count]


def judgements(
    teacher: Network, net: Network, classes: Sequence[int], picture: Frame | None, side: int = SIDE
) -> Iterator[Judgement]:
    """Dream each class and ask the teacher.

    Args:
        teacher: a network with ImageNet's classes.
        net: what dreams.
        classes: by number.
        picture: where each dream starts; None: noise, another one for each class.
        side: the longer side in pixels.
    """
    for number in classes:
        if picture is None:
            start = noise(Size(round(side * 0.625), side), (SEED, number))
        else:
            start = photographic(picture, parsed_size(str(side), size_of(picture)))
        word = words.names()[number]
        flags = flagged({"of": word})
        settings = presets.settings_over("default", {}, flags)
        dream = Dreamer(net, net.choices(), settings).still(start)
        with torch.no_grad():
            seen = teacher.preprocessing.to_input(middle(dream, CROP)[None])
            scores = teacher(seen, [teacher.head or ""])[teacher.head or ""][0].float()
        rank = int((scores > scores[number]).sum()) + 1
        yield Judgement(word, rank, float(scores.softmax(0)[number]), dream)


def main(arguments: list[str] | None = None) -> None:
    """Judge, and print a line for each word and the shares at the end."""
    parser = argparse.ArgumentParser("python -m dreamvid.training.words.judging")
    parser.add_argument("teacher", type=Path, help="weights of BVLC GoogLeNet")
    parser.add_argument("picture", type=Path, nargs="?", help="where to start; none: from noise")
    parser.add_argument("--classes", type=int, default=100, help="how many, 100 at most")
    parser.add_argument("--network", default="pocket", help="pocket, or googlenet: the teacher")
    parser.add_argument("--weights", type=Path, help="pocket's file, where it is another")
    asked = parser.parse_args(arguments)
    try:
        teacher = network("googlenet", weights=asked.teacher, precision="fp32")
        own = asked.network == "googlenet"
        net = teacher if own else network(asked.network, weights=asked.weights, precision="fp32")
        picture = read_picture(asked.picture) if asked.picture else None
        ranks = []
        for each in judgements(teacher, net, drawn(asked.classes), picture):
            ranks.append(each.rank)
            _say(f"{each.word}: rank {each.rank}, probability {each.probability:.3f}")
    except DreamvidError as error:
        sys.exit(f"judging: {error}")
    for most in (1, 5):
        share = sum(rank <= most for rank in ranks) / len(ranks)
        _say(f"of {len(ranks)} classes, {share:.0%} among the teacher's top {most}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
