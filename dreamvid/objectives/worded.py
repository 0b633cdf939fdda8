"""What words mean to a network at each frame of a film: classes of its head, and their shares."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from dreamvid.errors import NetworkError
from dreamvid.networks import words
from dreamvid.networks.base import Network
from dreamvid.networks.torchvision.imagenet import imagenet_classes
from dreamvid.schedules import Span, places_of, read_cues, shares


class Meant(NamedTuple):
    """What one word means."""

    share: float
    """How much it counts; all the words of a frame together count 1."""
    classes: tuple[int, ...]
    logarithms: tuple[float, ...]
    """Of the weights of the classes."""


def meant(
    text: str, network: Network, film: Span, where: str
) -> tuple[Callable[[int], tuple[Meant, ...]], bool]:
    """What the words of `text` mean at each frame, and whether that changes.

    Args:
        text: comma-separated words, or words at keys; see `read_cues`.
        network: whose classes the words are looked for in.
        film: whose frames, seconds and beats the keys are.
        where: the setting, for errors.

    Raises:
        SettingsError: there is no such word, no word at all, or the keys are out of order.
        NetworkError: nobody knows the names of the network's classes.
    """
    cues = read_cues(text, where)
    places = places_of(cues, film, where)
    known = _known(network, where)
    found = [
        [_meant(words.meaning(word, known, where), len(cue.texts)) for word in cue.texts]
        for cue in cues
    ]

    def at(index: int) -> tuple[Meant, ...]:
        return tuple(
            word._replace(share=word.share * share)
            for number, share in shares(cues, places, index).items()
            for word in found[number]
        )

    return at, len(cues) > 1


def _meant(meaning: words.Meaning, count: int) -> Meant:
    logarithms = tuple(math.log(weight) for weight in meaning.values())
    return Meant(1 / count, tuple(meaning), logarithms)


def _known(network: Network, where: str) -> Mapping[str, words.Meaning] | None:
    """The words of a network of its own classes; None where it has ImageNet's."""
    classes = network.classes
    if classes == words.names() or (network.class_count == 1000 and not classes):
        return None
    if not classes:
        raise NetworkError(
            f"{where}: nobody knows the names of the {network.class_count} classes of "
            f"{network.name}; use another network, or class_score with a number"
        )
    return None if classes == imagenet_classes() else words.named(classes)
