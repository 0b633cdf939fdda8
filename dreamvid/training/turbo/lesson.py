"""What a turbo network learns: a preset's dream, at some layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from dreamvid import __version__
from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.turbo.files import TurboFile, path_of, read_turbo
from dreamvid.dream.turbo.net import TurboNet, Widths
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice, ever
from dreamvid.settings import Settings
from dreamvid.training.distil.folder import fingerprint
from dreamvid.training.turbo.recipe import Recipe

POSITIVE = ("energy", "norm")
"""Objectives whose gain is above 0 for every picture, so that it has a logarithm."""


@dataclass(frozen=True)
class Lesson:
    """A preset's dream, and how it is learned."""

    teacher: Network
    settings: Settings
    """The preset's."""
    choices: tuple[Choice, ...]
    """What the preset dreams."""
    layers: tuple[str, ...]
    """All that the network can dream, the preset's own first."""
    recipe: Recipe
    preset: str
    further: TurboFile | None = None
    """The network that is trained further; None: a new one."""

    @classmethod
    def of(
        cls,
        teacher: Network,
        settings: Settings,
        preset: str,
        layers: Sequence[str],
        recipe: Recipe,
        further: str | None = None,
    ) -> Self:
        """The lesson in a preset's dream; a `DreamvidError` if no turbo network can learn it."""
        choices = teacher.choices([ever(text) for text in settings.network.layers])
        others = teacher.choices(layers) if layers else ()
        for choice in (*choices, *others):
            if choice.channels is not None or choice.weight <= 0:
                raise NetworkError(
                    f"layer {choice.layer}: channels, or a weight that is not above 0, cannot be "
                    "learned; a turbo network learns whole layers"
                )
        name, more = settings.objective.get("name"), settings.objective.keys() - {"name"}
        if name not in POSITIVE or more:
            raise SettingsError(
                f"{preset}: its objective is {name}{' and more' * bool(more)}; "
                f"a turbo network learns one of {', '.join(POSITIVE)}; choose another preset"
            )
        if recipe.side < teacher.smallest_side:
            raise NetworkError(
                f"recipe.side: got {recipe.side}, and {teacher.name} needs {teacher.smallest_side}"
            )
        names = tuple(dict.fromkeys(choice.layer for choice in (*choices, *others)))
        known = read_turbo(path_of(further)) if further else None
        lesson = cls(teacher, settings, choices, names, recipe, preset, known)
        lesson._check(further)
        return lesson

    def manifest(self, images: Path, files: Sequence[Path], every: int) -> dict[str, Any]:
        """What must stay the same when a training goes on, and the machine, which may change."""
        return {
            "preset": self.preset,
            "teacher": self.teacher.name,
            "teacher_sha256": self.teacher.weights_sha256 or "",
            "objective": dict(self.settings.objective),
            "step_size": self.step_size,
            "layers": list(self.layers),
            "further_sha256": self.further.sha256 if self.further else "",
            "recipe": self.recipe._asdict(),
            "pictures": len(files),
            "pictures_sha256": fingerprint(images, files),
            "machine": {
                "dreamvid": __version__,
                "torch": torch.__version__,
                "device": self.teacher.device.type,
                "threads": torch.get_num_threads(),
                "every": every,
            },
        }

    @property
    def step_size(self) -> float:
        """The preset's, at its largest octave, in 8-bit levels."""
        size = self.settings.ascent.step_size
        if isinstance(size, tuple):
            return float(size[-1])
        if isinstance(size, str | Mapping):
            raise SettingsError(
                f"{self.preset}: ascent.step_size changes in the course of the film; a turbo "
                "network learns from one of one size"
            )
        return float(size)

    def dreamer(self) -> Dreamer:
        """The teacher's dream at one octave, from which the network learns."""
        settings = self.settings.changed("octaves", count=1, layers=(), weights=())
        ascent = settings.ascent
        first, later = _steps(ascent.iterations, 10), _steps(ascent.later, None)
        settings = settings.changed(
            "ascent", step_size=self.step_size, iterations=first, later=later
        )
        settings = settings.changed("turbo", dream="ascent")
        return Dreamer(self.teacher, [Choice(self.layers[0])], settings)

    def net(self) -> TurboNet:
        """The network before the training: a new one, or the one that is trained further."""
        torch.manual_seed(self.recipe.seed)
        net = TurboNet(self.layers)
        net.decoder.initialised()
        if self.further:
            known = self.further.net
            columns = [*map(self.layers.index, known.layers), len(self.layers)]
            net.decoder.learned(known.decoder, columns)
        return net

    def _check(self, path: str | None) -> None:
        """Raise `NetworkError` if the network in a file cannot be trained further to learn this."""
        known = self.further
        if known is None:
            return
        if known.teacher != self.teacher.name:
            raise NetworkError(
                f"--further: {path} learned the dream of {known.teacher}, and "
                f"{self.preset} dreams with {self.teacher.name}; leave it out"
            )
        if lost := [layer for layer in known.net.layers if layer not in self.layers]:
            raise NetworkError(
                f"--further: {path} learned {', '.join(lost)} too, and would forget it; "
                f"add --layers {','.join(lost)}"
            )
        if known.net.widths != Widths():
            raise NetworkError(
                f"--further: {path} has the widths {known.net.widths}, expected "
                f"{Widths()}; leave it out"
            )


def _steps(asked: Any, otherwise: int | None) -> int | None:
    """How many steps a preset asks for, at its largest octave; `otherwise` where they change."""
    asked = asked[-1] if isinstance(asked, tuple) and asked else asked
    return asked if isinstance(asked, int) and asked > 0 else otherwise
