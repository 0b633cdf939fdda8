"""Run by test_fused.py in a process of its own: Triton looks at its environment when it is loaded.

python fused_trials.py agree      with TRITON_INTERPRET=1, prints disagreements as JSON
python fused_trials.py whole      the same, prints how far whole steps are from plain ones
python fused_trials.py compile    prints the sizes of what is compiled for each GPU as JSON
"""

import json
import sys

import torch
from torch.nn import functional as F

SIDES = (33, 42)


def agree():
    from dreamvid.networks import fused, trials, ways

    found = {}
    for name in ("float32", "bfloat16", "float16"):
        dtype = getattr(torch, name)
        found[name] = trials.disagreement(fused, torch.device("cpu"), dtype)
    generator = torch.Generator().manual_seed(1)
    # Odd and even sides, two pictures, negative numbers, equal neighbours and a NaN.
    for height, width in ((7, 10), (8, 9), (3, 4)):
        x = torch.randn(2, 5, height, width, generator=generator).round(decimals=1)
        x[0, 1, 1, 2] = torch.nan
        for stride in (1, 2):
            pair = []
            for pool in (
                lambda x, stride=stride: fused.pooled(x, stride),
                lambda x, stride=stride: F.max_pool2d(
                    x, 3, stride, padding=2 - stride, ceil_mode=True
                ),
            ):
                there = x.clone(memory_format=torch.channels_last).requires_grad_(True)
                out = pool(there)
                weights = torch.arange(1, out.numel() + 1).view(out.shape).float()
                out.backward(weights)
                pair.append((out.detach(), there.grad))
            (a, ga), (b, gb) = pair
            same = torch.equal(a.nan_to_num(9), b.nan_to_num(9))
            found[f"pool {height}x{width} by {stride}"] = "" if same else "values"
            if not torch.allclose(ga[1], gb[1]):
                found[f"pool {height}x{width} by {stride}"] = "gradient"

    class Wrong:
        """Kernels of which one does something else."""

        local_response = staticmethod(lambda x, size, alpha: x)
        pooled = fused.pooled

    found["wrong"] = trials.disagreement(Wrong, torch.device("cpu"), torch.float32)
    x = torch.randn(1, 4, 6, 6, requires_grad=True)
    (once,) = torch.autograd.grad(
        fused.local_response(x, 5, 1.0).pow(2).sum(), x, create_graph=True
    )
    try:
        once.pow(2).sum().backward()
        found["twice"] = "differentiable"
    except RuntimeError as error:
        found["twice"] = str(error)
    assert ways.fused() is None
    return found


def whole():
    """How far whole networks' steps are from plain ones, where all kernels are taken."""
    from dreamvid.dream.ascent import Ascent, Numbers
    from dreamvid.networks import fused, network, ways
    from dreamvid.networks.googlenet import GoogLeNet
    from dreamvid.networks.inception5h import Inception5h
    from dreamvid.settings import settled

    torch.manual_seed(0)
    nets = [network("pocket", precision="fp32"), GoogLeNet().eval(), Inception5h().eval()]
    layers = ["3a", "inception_3a/output", "mixed3a"]
    numbers = Numbers(torch.tensor([[3, -8]]), torch.rand(*SIDES) + 0.5, torch.tensor([1.0]))
    ends = torch.full((1, 3, 1, 1), -1.0), torch.full((1, 3, 1, 1), 0.8)
    found, real = {}, ways.kernels_for
    for net, layer in zip(nets, layers, strict=True):
        net.requires_grad_(False)
        settings = settled({"ascent": {}}).ascent

        def gain(x, _, net=net, layer=layer):
            return net(x, [layer])[layer].float().pow(2).mean((1, 2, 3))

        climbs = []
        for taken in (real, lambda x: fused):
            for module in list(sys.modules.values()):
                if hasattr(module, "kernels_for"):
                    module.kernels_for = taken
            image = torch.randn(2, 3, *SIDES, generator=torch.Generator().manual_seed(3))
            # The last one has no finite gradient, and stays.
            image[1, 0, 0, 0] = torch.inf
            ascent = Ascent(gain, settings, ends)
            climbs.append(ascent.climbed(lambda x, gradient: gradient(x), image, numbers))
        plain, ours = climbs
        difference = (ours.image[0] - plain.image[0]).norm() / plain.image[0].norm()
        same = torch.equal(ours.finite, plain.finite) and not ours.finite[:, 1].any()
        stayed = torch.equal(ours.image[1], plain.image[1])
        found[net.name] = difference.item() if same and stayed else 9
    return found


def compiled():
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from dreamvid.networks import fused

    found = {}
    for capability in (80, 90):
        for name, (kernel, types, constants) in fused.KERNELS.items():
            for kind in ("bf16", "fp32"):
                names = kernel.arg_names
                pointers = [
                    f"*{kind if each == 'x' else each}"
                    if each in ("x", "u8", "i64", "fp32")
                    else each
                    for each in types
                ]
                sizes = {"PLACES": 32, "TILE": 32, "BLOCK": 1024}
                values = constants | {each: sizes[each] for each in sizes if each in names}
                signature = {
                    argument: "constexpr" if argument in values else pointers[number]
                    for number, argument in enumerate(names)
                }
                source = ASTSource(
                    kernel, signature, {(names.index(each),): values[each] for each in values}
                )
                made = triton.compile(source, target=GPUTarget("cuda", capability, 32))
                found[f"sm_{capability} {name} {kind}"] = len(made.asm["cubin"])
    return found


print(json.dumps({"agree": agree, "compile": compiled, "whole": whole}[sys.argv[1]]()))
