"""Run by test_fused.py in a process of its own: Triton looks at its environment when it is loaded.

python fused_trials.py agree      with TRITON_INTERPRET=1, prints disagreements as JSON
python fused_trials.py compile    prints the sizes of what is compiled for each GPU as JSON
"""

import json
import sys

import torch
from torch.nn import functional as F


def agree():
    from dreamvid.networks import fused, fused_blocks, kernels, ways

    found = {}
    for name in ("float32", "bfloat16", "float16"):
        dtype = getattr(torch, name)
        found[name] = kernels.disagreement(fused, torch.device("cpu"), dtype)
        found[f"blocks in {name}"] = kernels.block_disagreement(
            fused_blocks, torch.device("cpu"), dtype
        )
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
        pooled, stem = fused.pooled, fused.stem

    found["wrong"] = kernels.disagreement(Wrong, torch.device("cpu"), torch.float32)
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


def compiled():
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from dreamvid.networks import fused, fused_passes

    found = {}
    kernels = {**fused.KERNELS, **fused_passes.KERNELS}
    for capability in (80, 90):
        for name, (kernel, types, constants) in kernels.items():
            for kind in ("bf16", "fp32"):
                names = kernel.arg_names
                pointers = [
                    f"*{kind if each == 'x' else each}" if each in ("x", "u8", "fp32") else each
                    for each in types
                ]
                values = {**constants, "PLACES": 32, "TILE": 32}
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


print(json.dumps({"agree": agree, "compile": compiled}[sys.argv[1]]()))
