"""Training a network to tell the pictures of some folders apart, so that it dreams of them.

::

    pets/cats/*.jpg  pets/dogs/*.png  ...      a folder of class folders
    pets.safetensors                           the best epoch's network, for ``--weights``
    pets.safetensors.training/
      training.json    the recipe and a digest of the pictures; never edited
      checkpoint.pt    the last epoch: network, optimiser, the rows of the table
      best.pt          the network of the best epoch so far
      accuracy.csv     a row for each epoch, and accuracy.png, the same as a plot
      lock             held by the one run that works here

Every draw is keyed by (seed, epoch, picture), so that no generator outlives an epoch: a training
that was killed and resumed ends with the same file as one that was not.
"""

import fcntl
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamvid import __version__
from dreamvid.errors import JobLockedError, MediaError, NetworkError, ResumeError, SettingsError
from dreamvid.frames import Frame, Key, drawn, from_pixels, to_pixels
from dreamvid.media import published, read_picture, storage_checked
from dreamvid.media.publishing import storage_error
from dreamvid.networks import networks
from dreamvid.networks import pocket as pockets
from dreamvid.networks import torchvision as classifiers
from dreamvid.networks.base import Preprocessing
from dreamvid.registry import Positive, Within, checked_options
from dreamvid.sinks import check_place

SUFFIX = ".training"
MEMORY = 2 * 2**30
"""Bytes of pictures that are kept; what is beyond is read from the disk in every epoch."""
SMALLEST_CROP = 0.5
"""Share of a picture's area that a random crop has at least."""
JITTER = 0.2
"""How far brightness, contrast and saturation stray from 1."""
SMOOTHING = 0.1
"""Share of the certainty that is spread over all classes, against overconfidence."""
HELP = 0.3
"""Weight of the loss of each helping head."""
WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
RATES = {"sgd": 0.02, "adam": 1e-3, "adamw": 1e-3}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained and how; the fields are the options of `train`."""

    network: str = "pocket"
    weights: Path | None = None
    """A file to start from; otherwise from scratch."""
    pretrained: bool = False
    """Start from the network's own embedded or published weights."""
    side: Annotated[int, Within(16, 1024)] | None = None
    """Of the square pictures the network is shown; 64 for pocket and 224 for others when unset."""
    epochs: Annotated[int, Within(1, 100_000)] = 30
    batch: Annotated[int, Within(2, 4096)] = 16
    optimiser: Literal["sgd", "adam", "adamw"] = "adamw"
    learning_rate: Positive | None = None
    """At its highest; chosen for the optimiser and the network when unset."""
    held_out: Annotated[float, Within(0.01, 0.9)] = 0.2
    """Share of each class that is never trained on and measures the accuracy."""
    patience: Annotated[int, Within(0, 100_000)] = 0
    """Epochs without a better accuracy after which to stop; 0 is never."""
    seed: Annotated[int, Within(0, 2**62)] = 0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """A recipe of checked options; `SettingsError` names the first bad one."""
        recipe = cls(**checked_options(cls, options, "train"))
        if recipe.weights and recipe.pretrained:
            raise SettingsError("train: got both weights and pretrained, wanted one of them")
        return recipe

    def tree(self) -> dict[str, Any]:
        """The recipe as plain JSON values, which `of` takes back."""
        return json.loads(json.dumps(asdict(self), default=lambda path: str(path.absolute())))


class Example(NamedTuple):
    """A picture's file and the number of its class."""

    path: Path
    label: int


class Dataset(NamedTuple):
    """A folder of class folders, split; `views` are its readable pictures as `Views` keeps them."""

    classes: tuple[str, ...]
    training: tuple[Example, ...]
    held_out: tuple[Example, ...]
    unreadable: tuple[Path, ...]
    views: "Views"

    def digest(self, folder: Path) -> str:
        """A hash of the names, sizes and classes of all pictures and of how they are split."""
        lines = [
            f"{example.path.relative_to(folder).as_posix()}\0{example.path.stat().st_size}"
            for examples in (self.training, self.held_out)
            for example in (*examples, Example(folder, 0))
        ]
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


class Views:
    """Pictures as a network is shown them: (3, side, side), RGB, [0, 1]."""

    def __init__(self, side: int) -> None:
        self.side = side
        self._kept: dict[Path, np.ndarray] = {}
        self._room = MEMORY

    def read(self, path: Path) -> Frame:
        """The whole picture, shrunk where it is much larger than a view."""
        if path in self._kept:
            return from_pixels(self._kept[path])
        frame = read_picture(path)
        scale = 1.5 * self.side / min(frame.shape[1:])
        if scale < 1:
            frame = _scaled(frame, *(round(length * scale) for length in frame.shape[1:]))
        pixels = to_pixels(frame)
        if pixels.nbytes <= self._room:
            self._room -= pixels.nbytes
            self._kept[path] = pixels
        return from_pixels(pixels)

    def plain(self, path: Path) -> Frame:
        """The largest square in the middle."""
        frame = self.read(path)
        height, width = frame.shape[1:]
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        return _scaled(frame[:, top : top + short, left : left + short], self.side, self.side)

    def varied(self, path: Path, key: Key) -> Frame:
        """A random crop, perhaps mirrored, its colours strayed a little; `key` decides which."""
        frame = self.read(path)
        height, width = frame.shape[1:]
        draws = torch.rand(8, generator=torch.Generator().manual_seed(drawn(key, 0, 2**62)))
        area, shape, down, across, mirror, *colours = draws.tolist()
        pixels = height * width * (SMALLEST_CROP + (1 - SMALLEST_CROP) * area)
        ratio = (4 / 3) ** (2 * shape - 1)
        rows = max(1, min(height, round(math.sqrt(pixels / ratio))))
        columns = max(1, min(width, round(math.sqrt(pixels * ratio))))
        top, left = int(down * (height - rows + 1)), int(across * (width - columns + 1))
        frame = _scaled(frame[:, top : top + rows, left : left + columns], self.side, self.side)
        if mirror < 0.5:
            frame = frame.flip(2)
        brightness, contrast, saturation = (1 + JITTER * (2 * draw - 1) for draw in colours)
        frame = frame * brightness
        frame = torch.lerp(frame.mean(), frame, contrast)
        return torch.lerp(frame.mean(0, keepdim=True), frame, saturation).clamp(0, 1)


def _scaled(frame: Frame, height: int, width: int) -> Frame:
    if frame.shape[1:] == (height, width):
        return frame
    return F.interpolate(frame[None], (height, width), mode="bilinear", antialias=True)[0]


def dataset(folder: Path, *, side: int, held_out: float = 0.2, seed: int = 0) -> Dataset:
    """The pictures of `folder`, a class for each folder in it, split by class and by `seed`.

    Raises:
        MediaError: There are no two classes, or one has too few pictures that can be read.
    """
    if not folder.is_dir():
        wrong = "is a file" if folder.exists() else "no such folder"
        raise MediaError(f"{folder}: {wrong}; wanted a folder of class folders with pictures")
    found = {
        inside.name: sorted(
            path
            for path in inside.rglob("*")
            if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
        )
        for inside in sorted(folder.iterdir())
        if inside.is_dir() and not inside.name.startswith(".")
    }
    if not any(found.values()):
        raise MediaError(
            f"{folder}: no pictures in class folders, wanted one folder for each class"
        )
    if len(found) < 2:
        raise MediaError(f"{folder}: only one class ({next(iter(found))}), wanted two or more")
    views = Views(side)
    training, held, unreadable = [], [], []
    for label, (name, paths) in enumerate(found.items()):
        readable = []
        for path in paths:
            try:
                views.read(path)
                readable.append(Example(path, label))
            except MediaError:
                unreadable.append(path)
        if (count := len(readable)) < 2:
            raise MediaError(
                f"{folder / name}: {count} of {len(paths)} files are pictures that can be read, "
                "wanted two or more, to train on one and hold one out"
            )
        generator = torch.Generator().manual_seed(drawn((seed, label), 0, 2**62))
        order = torch.randperm(count, generator=generator).tolist()
        share = min(count - 1, max(1, round(held_out * count)))
        held += [readable[index] for index in sorted(order[:share])]
        training += [readable[index] for index in sorted(order[share:])]
    return Dataset(tuple(found), tuple(training), tuple(held), tuple(unreadable), views)


class PocketClassifier(nn.Module):
    """A pocket network whose last stage is averaged over the picture and read by a linear head.

    The other stages' heads help it to learn, and each stage to be worth a dream; none is kept.
    """

    def __init__(self, pocket: pockets.Pocket, classes: int) -> None:
        super().__init__()
        self.pocket = pocket
        self.head = nn.Linear(pocket.stages[-1].channels, classes)
        self.helpers = nn.ModuleList(nn.Linear(s.channels, classes) for s in pocket.stages[:-1])

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores (N, classes) of inputs (N, 3, H, W)."""
        return self.scores(inputs)[-1]

    def scores(self, inputs: Tensor) -> list[Tensor]:
        """The scores of each stage by a head of its own, the last stage's last."""
        means = [activation.mean((2, 3)) for _, activation in self.pocket.activations(inputs)]
        heads = [*self.helpers, self.head]
        return [head(mean) for head, mean in zip(heads, means, strict=True)]

    def start_anew(self) -> None:
        """Random weights, and batch normalisation, without which so deep a network hardly learns.

        The normalisation is of the training alone: `fold` takes it out again.
        """
        for parent, name, convolution in self._convolutions():
            nn.init.kaiming_normal_(convolution.weight)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)
                normalisation = nn.BatchNorm2d(convolution.out_channels)
                setattr(parent, name, nn.Sequential(convolution, normalisation))
        stem = self.pocket.blocks[0]
        assert isinstance(stem, pockets.Stem)
        with torch.no_grad():
            stem.basis.weight.copy_(_oriented(*stem.basis.weight.shape[::2]))
            mix = stem.mix[0].weight.flatten(1)  # pyright: ignore
            for channel, row in enumerate(mix):
                # Light on dark and dark on light are told apart by the ReLU that follows.
                row.zero_()[channel % len(row)] = 1 if channel // len(row) % 2 == 0 else -1

    def fold(self) -> None:
        """Fold every batch normalisation into the convolution before it, which changes nothing."""
        self.eval()
        for parent in list(self.pocket.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Sequential):
                    setattr(parent, name, fuse_conv_bn_eval(child[0], child[1]))  # pyright: ignore

    def _convolutions(self) -> list[tuple[nn.Module, str, nn.Conv2d]]:
        return [
            (parent, name, child)
            for parent in self.pocket.modules()
            for name, child in parent.named_children()
            if isinstance(child, nn.Conv2d)
        ]

    @torch.no_grad()
    def balance(self, inputs: Tensor) -> None:
        """Set the units so that every layer has RMS 1 on `inputs`: all weigh alike in a dream."""
        found = torch.stack([a.pow(2).mean().sqrt() for _, a in self.pocket.activations(inputs)])
        self.pocket.units.copy_(1 / found.clamp(1e-3, 1e3))


def _oriented(count: int, size: int) -> Tensor:
    """Gabor filters (count, 3, size, size), half of them grey, half in opposed colours.

    Blind to even areas, they let a small set of pictures teach shapes before it teaches colours.
    """
    axis = torch.arange(size) - size // 2
    colours = torch.tensor([[1.0, 1, 1], [1, 1, 1], [-1, 2, -1], [2, -1, -1]])
    filters = []
    for number in range(count):
        angle, phase = math.pi * (number // 2 % 8) / 8, math.pi / 2 * (number % 2)
        along = axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)
        wave = torch.cos(2 * math.pi * along / (size - 1) + phase)
        wave = wave * torch.exp(-(axis[None, :] ** 2 + axis[:, None] ** 2) / (size - 1))
        colour = colours[number // 8 % 4]
        filters.append((colour / colour.norm())[:, None, None] * (wave - wave.mean()))
    return F.normalize(torch.stack(filters).flatten(1)).unflatten(1, (3, size, size))


class Row(NamedTuple):
    """An epoch in the table of a training; accuracies are shares of 1."""

    epoch: int
    learning_rate: float
    loss: float
    accuracy: float
    held_out_loss: float
    held_out_accuracy: float


class Training:
    """A network at school: everything a checkpoint must hold.

    Args:
        pictures: What to learn.
        recipe: How, its `side` set.
        device: Where.
        fresh: Whether to begin; a training that is restored needs no first weights.
    """

    def __init__(
        self, pictures: Dataset, recipe: Recipe, device: torch.device, fresh: bool = True
    ) -> None:
        self.pictures, self.recipe, self.device = pictures, recipe, device
        with _seeded(recipe.seed):
            self.module, self.preprocessing = _school(recipe, len(pictures.classes), fresh)
            self.from_scratch = not (recipe.weights or recipe.pretrained)
            if isinstance(self.module, PocketClassifier) and self.from_scratch:
                self.module.start_anew()
            self.module.to(device, memory_format=torch.channels_last)  # pyright: ignore
        plain = not any("BatchNorm" in type(module).__name__ for module in self.module.modules())
        gentle = plain or not self.from_scratch
        self.rate = recipe.learning_rate or RATES[recipe.optimiser] * (0.1 if gentle else 1)
        parameters = self.module.parameters()
        if recipe.optimiser == "sgd":
            self.optimiser: torch.optim.Optimizer = torch.optim.SGD(
                parameters, self.rate, momentum=0.9, nesterov=True, weight_decay=5e-4
            )
        elif recipe.optimiser == "adam":
            self.optimiser = torch.optim.Adam(parameters, self.rate)
        else:
            self.optimiser = torch.optim.AdamW(parameters, self.rate, weight_decay=0.02)
        self.rows: list[Row] = []

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.rows)

    @property
    def best(self) -> Row:
        """The epoch with the best accuracy on what was held out, then with the least loss."""
        return max(self.rows, key=lambda row: (row.held_out_accuracy, -row.held_out_loss))

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or none was better for too long."""
        patience = self.recipe.patience
        tired = bool(patience and self.rows) and self.epoch - self.best.epoch >= patience
        return tired or self.epoch >= self.recipe.epochs

    def advance(self, tell: Callable[[int, int], None] = lambda done, total: None) -> Row:
        """One epoch; `tell` hears how many of its batches are done."""
        recipe, epoch = self.recipe, self.epoch
        with _seeded(recipe.seed, epoch):
            order = torch.randperm(len(self.pictures.training)).numpy()
            # None is smaller than asked for: batch normalisation cannot take a lone picture.
            batches = np.array_split(order, max(1, len(order) // recipe.batch))
            loss_sum = right = rate = 0.0
            for number, chosen in enumerate(batches):
                rate = self._rate_at((epoch + (number + 1) / len(batches)) / recipe.epochs)
                loss, hits = self._step(chosen.tolist(), rate)
                loss_sum, right = loss_sum + loss * len(chosen), right + hits
                tell(number + 1, len(batches))
        row = Row(epoch + 1, rate, loss_sum / len(order), right / len(order), *self.measured())
        self.rows.append(row)
        return row

    def _rate_at(self, done: float) -> float:
        """The learning rate with a share `done` of the steps: a warm-up, then half a cosine."""
        if done < WARM_UP:
            return self.rate * done / WARM_UP
        return self.rate * (0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))

    def _step(self, chosen: list[int], rate: float) -> tuple[float, int]:
        """Learn from one batch; its loss and how many pictures were told right."""
        self.module.train()
        examples = [self.pictures.training[index] for index in chosen]
        key = (self.recipe.seed, self.epoch)
        views = [
            self.pictures.views.varied(example.path, (*key, index))
            for index, example in zip(chosen, examples, strict=True)
        ]
        inputs = self._inputs(views)
        if isinstance(self.module, PocketClassifier):
            *helpers, scores = self.module.scores(inputs)
        else:
            helpers, scores = [], self.module(inputs)
        labels = torch.tensor([example.label for example in examples], device=self.device)
        loss = F.cross_entropy(scores, labels, label_smoothing=SMOOTHING)
        total = loss
        for helper in helpers:
            total = total + HELP * F.cross_entropy(helper, labels, label_smoothing=SMOOTHING)
        if not math.isfinite(total.item()):
            raise NetworkError(
                f"{self.recipe.network}: the training diverged in epoch {self.epoch + 1}; start "
                f"anew with a learning rate below {self.rate:g}"
            )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimiser.step()
        return loss.item(), int((scores.argmax(1) == labels).sum())

    @torch.no_grad()
    def measured(self) -> tuple[float, float]:
        """Loss and accuracy on the pictures that were held out."""
        self.module.eval()
        loss = right = 0.0
        examples, batch = self.pictures.held_out, self.recipe.batch
        for start in range(0, len(examples), batch):
            some = examples[start : start + batch]
            scores = self.module(self._inputs([self.pictures.views.plain(e.path) for e in some]))
            labels = torch.tensor([example.label for example in some], device=self.device)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += int((scores.argmax(1) == labels).sum())
        return loss / len(examples), right / len(examples)

    def _inputs(self, views: Sequence[Frame]) -> Tensor:
        batch = torch.stack(tuple(views)).to(self.device, memory_format=torch.channels_last)
        return self.preprocessing.to_input(batch)

    def _sample(self) -> Tensor:
        """Some training pictures of all classes, as the network sees them."""
        few = self.pictures.training[:: max(1, len(self.pictures.training) // 64)]
        return self._inputs([self.pictures.views.plain(example.path) for example in few])

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on exactly from here."""
        return {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rows": [tuple(row) for row in self.rows],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rows = [Row(*row) for row in state["rows"]]

    def tensors(self, best: dict[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """What the file shall hold of the weights `best`, and the accuracy of just that."""
        self.module.load_state_dict(best)
        if isinstance(self.module, PocketClassifier):
            if self.from_scratch:
                self.module.fold()
                self.module.balance(self._sample())
            self.module.half().float()
        _, accuracy = self.measured()
        small = isinstance(self.module, PocketClassifier)
        held = {
            name.removeprefix("pocket."): (tensor.half() if small else tensor).cpu().contiguous()
            for name, tensor in self.module.state_dict().items()
            if not (small and name.startswith("helpers."))
        }
        return held, accuracy

    def metadata(self, accuracy: float) -> dict[str, str]:
        """What the file says of itself: JSON values, and bare names."""
        about = {
            "network": self.recipe.network,
            "classes": json.dumps(self.pictures.classes),
            "accuracy": json.dumps(round(accuracy, 4)),
            "side": json.dumps(self.recipe.side),
            "dreamvid": __version__,
        }
        if isinstance(self.module, PocketClassifier):
            about["stages"] = json.dumps(self.module.pocket.stages)
        return about


@contextmanager
def _seeded(*key: int) -> Iterator[None]:
    """Draw from torch's own generators, which layers such as dropout use, as `key` decides."""
    with torch.random.fork_rng():
        torch.manual_seed(drawn(key, 0, 2**62))
        yield


def _school(recipe: Recipe, classes: int, fresh: bool) -> tuple[nn.Module, Preprocessing]:
    """The network to train, with a head for so many classes, and its preprocessing."""
    start_from = fresh and (recipe.weights is not None or recipe.pretrained)
    if recipe.network == "pocket":
        given = recipe.weights is not None or recipe.pretrained
        pocket = pockets.pocket(weights=recipe.weights) if given else pockets.Pocket()
        return PocketClassifier(pocket, classes), pocket.preprocessing
    theirs = classifiers.RENAMED.get(recipe.network, recipe.network)
    options: dict[str, Any] = {"weights": None, "num_classes": classes}
    if theirs in classifiers.WITH_AUXILIARY_HEADS:
        options |= {"aux_logits": False, "init_weights": True, "transform_input": False}
    import torchvision.models

    module = torchvision.models.get_model(theirs, **options)
    if start_from:
        started = networks[recipe.network](weights=recipe.weights)
        learned = {
            name.removeprefix("model."): tensor for name, tensor in started.state_dict().items()
        }
        # The head is the module whose parameter comes last; it knows other classes.
        head = list(learned)[-1].rpartition(".")[0] + "."
        learned = {name: value for name, value in learned.items() if not name.startswith(head)}
        module.load_state_dict(learned, strict=False)
    return module, _sketch(recipe.network, classes).preprocessing


def _sketch(name: str, classes: int) -> classifiers.Classifier:
    """A torchvision network without memory, which knows its smallest side and preprocessing."""
    theirs = classifiers.RENAMED.get(name, name)
    preprocessing = classifiers._preprocessing(theirs, classifiers._published(theirs))
    return classifiers.Classifier(name, classifiers._empty(name, classes), preprocessing)


def _settled(options: Mapping[str, Any]) -> Recipe:
    """A recipe whose network can be trained, and at its side."""
    recipe = Recipe.of(options)
    networks[recipe.network]  # says what is near to an unknown name
    pocket = recipe.network == "pocket"
    if not pocket and recipe.network not in classifiers.names():
        raise SettingsError(
            f"train.network: {recipe.network!r} has no training here, wanted pocket or one of "
            "torchvision's (dreamvid list networks)"
        )
    side = recipe.side or (64 if pocket else 224)
    smallest = 32 if pocket else _sketch(recipe.network, 2).smallest_side
    if side < smallest:
        raise SettingsError(
            f"train.side: got {side}, and {recipe.network} needs {smallest} or more"
        )
    return Recipe(**{**asdict(recipe), "side": side})


class Teller:
    """Says on standard error how a training goes: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, quiet: bool = True) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(console=self.console, disable=quiet or not self.console.is_terminal)

    def say(self, text: str) -> None:
        """A line worth knowing."""
        if not self.quiet:
            self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def epoch(self, number: int, total: int) -> Iterator[Callable[[int, int], None]]:
        """Show an epoch's batches while it lasts; gives what is to be told of them."""
        with self.bar:
            task = self.bar.add_task(f"epoch {number} of {total}", total=None)
            yield lambda done, batches: self.bar.update(task, completed=done, total=batches)
            self.bar.remove_task(task)


def train(
    folder: Path,
    out: Path,
    *,
    device: str | torch.device = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    teller: Teller | None = None,
    **options: Any,
) -> Path:
    """Train a network on a folder of class folders; returns `out`, which ``--weights`` takes.

    Args:
        folder: Holds a folder of pictures for each class.
        out: The .safetensors file to make; ``<out>.training/`` holds all that resuming needs.
        device: Where to train.
        resume: Go on where an earlier run with this `out` stopped, by its recipe.
        overwrite: Replace `out`, and start anew unless resuming.
        teller: Who says how it goes; nobody by default.
        **options: The fields of `Recipe`.
    """
    teller = teller or Teller()
    place = out.with_name(out.name + SUFFIX)
    if out.suffix != ".safetensors":
        raise SettingsError(f"{out}: got the suffix {out.suffix!r}, wanted .safetensors")
    check_place(out, overwrite)
    if place.exists() and not place.is_dir():
        raise MediaError(f"{place}: is a file, wanted a folder or nothing; remove it first")
    manifest = place / "training.json"
    if manifest.exists() and not (resume or overwrite):
        raise ResumeError(
            f"{place}: exists already; pass --resume to go on, --overwrite to restart"
        )
    going_on = resume and manifest.exists()
    if resume and not going_on:
        teller.say(f"nothing to go on with in {place}: starting")
    saved = _saved(manifest) if going_on else {"recipe": {}}
    recipe = _settled({**saved["recipe"], **options})
    if going_on and (changed := _changes(saved["recipe"], recipe.tree())):
        raise ResumeError(f"{place}: began with other settings ({changed}); resume without them")
    assert recipe.side is not None
    pictures = dataset(folder, side=recipe.side, held_out=recipe.held_out, seed=recipe.seed)
    digest = pictures.digest(folder)
    if going_on and saved["pictures"] != digest:
        raise ResumeError(f"{folder}: holds other pictures than when {place} began")
    training = Training(pictures, recipe, torch.device(device), fresh=not going_on)
    if pictures.unreadable:
        first = ", ".join(path.name for path in pictures.unreadable[:3])
        more = ", ..." if len(pictures.unreadable) > 3 else ""
        teller.say(f"{len(pictures.unreadable)} files cannot be read, left out: {first}{more}")
    with _locked(place):
        if not going_on:
            for name in ("training.json", "checkpoint.pt", "best.pt", "accuracy.csv"):
                (place / name).unlink(missing_ok=True)
            text = json.dumps({"recipe": recipe.tree(), "pictures": digest}, indent=1)
            _write(manifest, lambda path: path.write_text(text))
        elif (place / "checkpoint.pt").exists():
            training.restore(_loaded(place / "checkpoint.pt"))
        _run(training, place, teller)
        tensors, accuracy = training.tensors(_loaded(place / "best.pt"))
        about = training.metadata(accuracy)
        _write(out, lambda path: save_file(tensors, path, about))
    teller.say(f"{accuracy:.1%} of the pictures held out are told right (best of all epochs)")
    return out


def _run(training: Training, place: Path, teller: Teller) -> None:
    """Train to the end; after each epoch everything in `place` is whole."""
    epochs, counts = training.recipe.epochs, training.pictures
    teller.say(
        f"{training.recipe.network}: {len(counts.classes)} classes, {len(counts.training)} "
        f"pictures to train on, {len(counts.held_out)} held out; {training.epoch} of {epochs} "
        "epochs are done"
    )
    while not training.finished:
        with teller.epoch(training.epoch + 1, epochs) as tell:
            row = training.advance(tell)
        # The best comes first: killed in between, the same epoch is made again, and as good.
        if training.best is row:
            best = training.module.state_dict()
            _write(place / "best.pt", lambda path, best=best: torch.save(best, path))
        _write(place / "checkpoint.pt", lambda path: torch.save(training.state(), path))
        _write_table(training.rows, place)
        teller.say(
            f"epoch {row.epoch} of {epochs}: loss {row.loss:.3f}, accuracy {row.accuracy:.1%}, "
            f"held out {row.held_out_accuracy:.1%}"
        )
    _write_plot(training.rows, place)


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Publish a file; what torch and safetensors make of a full disk becomes `StorageError`."""
    try:
        with published(path) as part:
            write(part)
    except (SafetensorError, RuntimeError) as error:
        raise storage_error(path, " ".join(str(error).split())[:80]) from error


def _write_table(rows: Sequence[Row], place: Path) -> None:
    lines = [",".join(Row._fields), *(",".join(f"{value:.6g}" for value in row) for row in rows)]
    _write(place / "accuracy.csv", lambda path: path.write_text("\n".join(lines) + "\n"))


def _write_plot(rows: Sequence[Row], place: Path) -> None:
    # matplotlib is slow to import; pyplot would touch its global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="epoch", ylabel="accuracy in %", ylim=(0, 101), xlim=(0, len(rows) + 1)
    )
    for label, values in (
        ("training", [row.accuracy for row in rows]),
        ("held out", [row.held_out_accuracy for row in rows]),
    ):
        axes.plot(range(1, len(rows) + 1), [100 * value for value in values], ".-", label=label)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    _write(place / "accuracy.png", lambda path: path.write_bytes(buffer.getvalue()))


def _saved(manifest: Path) -> dict[str, Any]:
    try:
        saved = json.loads(manifest.read_text("utf-8"))
        return {"recipe": dict(saved["recipe"]), "pictures": str(saved["pictures"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResumeError(f"{manifest}: cannot be read ({error}); pass --overwrite") from None


def _loaded(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file raises nearly anything
        reason = " ".join(str(error).split())[:80]
        raise ResumeError(f"{path}: damaged ({reason}); start anew with --overwrite") from None


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name} {before.get(name)!r} -> {value!r}"
        for name, value in now.items()
        if before.get(name) != value
    )


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Hold the training's folder alone, made where there is none, or raise `JobLockedError`."""
    with storage_checked(place):
        place.mkdir(exist_ok=True)
        stream = (place / "lock").open("a")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobLockedError(f"{place}: another run is at work here; wait or stop it") from None
        yield
