"""A network small enough to calculate by hand, for tests."""

import torch
from torch import nn

from dreamvid.networks.base import Network, Preprocessing


class Tiny(Network):
    """Two layers of five channels and a head of three classes, with random weights."""

    name = "tiny"
    layers = ("a", "b", "scores")
    favourite = "b"
    smallest_side = 8
    preprocessing = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    head = "scores"
    classes = ("cat", "volcano", "teapot")

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.b = nn.Conv2d(5, 5, 3, padding=1)
        self.seen = []

    def activations(self, inputs):
        self.seen.append(tuple(inputs.shape[-2:]))
        yield "a", (a := self.a(inputs).relu())
        yield "b", (b := self.b(a).relu())
        yield "scores", b.mean((2, 3))[:, :3]
