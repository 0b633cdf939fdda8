"""A traced graph made ready for a dream: normalisation and ReLU become part of convolutions.

What a dream asks for is kept as it is. Folding changes rounding only.
"""

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamvid.networks.convolutions import convolved


class Fused(nn.Module):
    """A convolution, and its ReLU where it has one."""

    def __init__(self, convolution: nn.Conv2d, relu: bool = False) -> None:
        super().__init__()
        self.convolution, self.relu = convolution, relu

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, channels, h', w')."""
        return convolved(self.convolution, x, relu=self.relu)


def fused(graph: fx.GraphModule) -> fx.GraphModule:
    """A graph of a network that has stopped learning, with the same results, made faster."""
    modules: dict[str, nn.Module] = dict(graph.named_modules())
    for node in list(graph.graph.nodes):
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        # What sees the picture stays float32, where the rest may not.
        if type(module) is not nn.Conv2d or module.in_channels == 3:
            continue
        if (norm := _only_user(node, modules, nn.BatchNorm2d)) is not None:
            module = _folded(module, modules[str(norm.target)])  # pyright: ignore[reportArgumentType]
            _replaced(norm, node)
        relu = _only_user(node, modules, nn.ReLU)
        if relu is not None:
            _replaced(relu, node)
        name = f"fused_{node.name}"
        graph.add_submodule(name, Fused(module, relu is not None))
        node.target = name
    graph.graph.lint()
    graph.recompile()
    return graph


def _only_user(
    node: fx.Node, modules: dict[str, nn.Module], kind: type[nn.Module]
) -> fx.Node | None:
    """What alone reads a node, where it is of a kind."""
    if len(node.users) != 1:
        return None
    (user,) = node.users
    if user.op == "call_module" and type(modules.get(str(user.target))) is kind:
        return user
    functional = user.op == "call_function" and user.target in (F.relu, torch.relu)
    return user if kind is nn.ReLU and functional else None


def _replaced(node: fx.Node, by: fx.Node) -> None:
    node.replace_all_uses_with(by)
    node.graph.erase_node(node)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """A convolution that normalises too; put together in float64, so that it rounds once."""
    wide = (copy.deepcopy(each).double() for each in (convolution, norm))
    whole = fuse_conv_bn_eval(*wide).to(convolution.weight.dtype)  # pyright: ignore[reportArgumentType]
    return whole.requires_grad_(False).to(memory_format=torch.channels_last)
