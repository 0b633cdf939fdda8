"""Five nodes: Network (what dreams), Settings (how), Dream (a picture), Dream Film, Measure.

They are thin: each calls one function of dreamvid. ComfyUI runs nodes in inference mode, whose
tensors can never have a gradient, so all that dreams, weights included, is made outside it.
ComfyUI's IMAGE is float32 (N, H, W, 3), RGB, 0 to 1; its MASK is (N, H, W).
"""

import json
from pathlib import Path
from typing import Any

import torch

CATEGORY = "dreamvid"
KIND, WITH = "DREAMVID_SETTINGS", "DREAMVID_NETWORK"
"""The types of the wires between the nodes: settings, and a network with its layers; both trees."""


def outside_inference(function: Any) -> Any:
    """`function` run where tensors may have gradients."""

    def run(*given: Any, **named: Any) -> Any:
        with torch.inference_mode(False), torch.enable_grad():
            return function(*given, **named)

    return run


def laid_over(*trees: dict[str, Any] | None) -> dict[str, Any]:
    """Trees of settings over each other; the last one wins."""
    from dreamvid.settings import laid_over as over

    whole: dict[str, Any] = {}
    for tree in trees:
        whole = over(whole, tree or {})
    return whole


class Network:
    """Which network dreams, and of which layers or words."""

    CATEGORY, FUNCTION = CATEGORY, "chosen"
    RETURN_TYPES, RETURN_NAMES = (WITH,), ("network",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        from dreamvid.networks import networks

        return {
            "required": {"network": (networks.names(), {"default": "pocket"})},
            "optional": {
                "layers": ("STRING", {"default": "", "placeholder": "3b, 4c=0.5, 4c:7"}),
                "of": ("STRING", {"default": "", "placeholder": "castle, volcano"}),
                "weights": ("STRING", {"default": "", "placeholder": "a weights file"}),
            },
        }

    def chosen(self, network: str, layers: str = "", of: str = "", weights: str = "") -> tuple:
        """The choice as a tree of settings."""
        from dreamvid.settings import flagged

        flags = {"network": network, "layer": layers or None, "of": of or None}
        return (flagged({**flags, "weights": found(weights) if weights else None}, "zoom"),)


class Settings:
    """How a dream goes: a preset's name, and settings of one's own as lines SECTION.KEY=VALUE."""

    CATEGORY, FUNCTION = CATEGORY, "chosen"
    RETURN_TYPES, RETURN_NAMES = (KIND,), ("settings",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        from dreamvid.settings import presets

        lines = {"default": "", "multiline": True, "placeholder": "ascent.step_size=2\nfilm.seed=7"}
        return {
            "required": {"preset": (presets.names(), {"default": "default"})},
            "optional": {"settings": ("STRING", lines)},
        }

    def chosen(self, preset: str, settings: str = "") -> tuple:
        """The preset's name and the tree of the lines."""
        from dreamvid.settings import assigned

        lines = [line.strip() for line in settings.splitlines() if line.strip()]
        return ({"preset": preset, "settings": assigned(lines)},)


class Dream:
    """Each picture of a batch, dreamed; where a mask is given, only where it is white."""

    CATEGORY, FUNCTION = CATEGORY, "dreamed"
    RETURN_TYPES, RETURN_NAMES = ("IMAGE",), ("image",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {
            "required": {
                "image": ("IMAGE",),
                "iterations": ("INT", {"default": 10, "min": 0, "max": 1000}),
                "octaves": ("INT", {"default": 4, "min": 1, "max": 20}),
                "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.1}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**63 - 1}),
            },
            "optional": {"network": (WITH,), "settings": (KIND,), "mask": ("MASK",)},
        }

    @outside_inference
    def dreamed(
        self,
        image: torch.Tensor,
        iterations: int,
        octaves: int,
        strength: float,
        seed: int,
        network: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor]:
        """The dreams, a batch of the same size."""
        import dreamvid

        chosen = settings or {"preset": "default", "settings": {}}
        flags = {"iterations": iterations, "octaves": octaves, "strength": strength}
        asked = laid_over(network, chosen["settings"], {"film": {"seed": seed}})
        made = []
        for number, picture in enumerate(image.clone()):
            frame = picture[..., :3].movedim(2, 0).clamp(0, 1).contiguous()
            dream = dreamvid.image(frame, preset=chosen["preset"], settings=asked, **flags)
            if mask is not None:
                share = fitted(mask.clone()[number % len(mask)], frame)
                dream = torch.lerp(frame, dream, share)
            made.append(dream.movedim(0, 2))
        return (torch.stack(made),)


class DreamFilm:
    """A film by its path, so that long films never lie in memory: it returns where the new one is.

    A picture becomes a zoom, a film is dreamed over. A film that was stopped goes on with the same
    inputs; one that is whole is replaced only with `overwrite`. `frames` are the first of them as
    a batch, for a look.
    """

    CATEGORY, FUNCTION, OUTPUT_NODE = CATEGORY, "made", True
    RETURN_TYPES, RETURN_NAMES = ("STRING", "IMAGE"), ("path", "frames")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        return {
            "required": {
                "source": ("STRING", {"default": "", "placeholder": "a picture or a film"}),
                "out": ("STRING", {"default": "dream.mp4"}),
                "length": ("INT", {"default": 0, "min": 0, "max": 1_000_000}),
                "size": ("STRING", {"default": "", "placeholder": "1280x720, 640, x1080"}),
                "look": ("INT", {"default": 1, "min": 1, "max": 64}),
            },
            "optional": {
                "image": ("IMAGE",),
                "network": (WITH,),
                "settings": (KIND,),
                "motion": ("STRING", {"default": "", "placeholder": "zoom,spin"}),
                "overwrite": ("BOOLEAN", {"default": False}),
            },
        }

    @outside_inference
    def made(
        self,
        source: str,
        out: str,
        length: int,
        size: str,
        look: int,
        image: torch.Tensor | None = None,
        network: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        motion: str = "",
        overwrite: bool = False,
    ) -> tuple[str, torch.Tensor]:
        """Where the film is, and its first frames."""
        import dreamvid
        from dreamvid import media

        asked = laid_over(network, (settings or {}).get("settings"))
        preset = (settings or {}).get("preset")
        flags: dict[str, Any] = {"frames": length or None, "size": size or None, "settings": asked}
        flags["overwrite"] = overwrite
        target = placed(out)
        if image is not None or media.is_still(found(source)):
            seed = found(source) if image is None else image.clone()[0, ..., :3].movedim(2, 0)
            flags |= {"motion": motion or None, "preset": preset or "default"}
            film = dreamvid.zoom(seed, target, **flags)
        else:
            film = dreamvid.video(found(source), target, preset=preset or "video", **flags)
        return str(film), first_frames(film, look)


class Measure:
    """How steady and how strong a dream is beside its film, as text and as a number."""

    CATEGORY, FUNCTION, OUTPUT_NODE = CATEGORY, "measured", True
    RETURN_TYPES, RETURN_NAMES = ("STRING", "FLOAT"), ("measures", "warping_error")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What it takes."""
        path = ("STRING", {"default": "", "placeholder": "a film"})
        return {"required": {"source": path, "dream": path}}

    @outside_inference
    def measured(self, source: str, dream: str) -> tuple[str, float]:
        """The means of all measures as JSON, and the warping error."""
        from dreamvid.jobs import films
        from dreamvid.studies import measure

        table = found(dream).with_name(f"{found(dream).stem}-measure.csv")
        settings = films.settings_for("video")
        measures = measure.measure(found(source), found(dream), table, settings, overwrite=True)
        means = measure.summary(measures)
        return json.dumps(means, indent=1), float(means["warping_error"] or 0.0)


def folders() -> Any:
    """ComfyUI's own table of folders; None outside it."""
    try:
        import folder_paths
    except ImportError:
        return None
    return folder_paths


def found(name: str) -> Path:
    """A file by its path, or by its name in ComfyUI's input folder or among dreamvid's models."""
    path, known = Path(name), folders()
    if path.exists() or known is None:
        return path
    for folder in [known.get_input_directory(), *known.get_folder_paths("dreamvid")]:
        if (Path(folder) / name).exists():
            return Path(folder) / name
    return path


def placed(name: str) -> Path:
    """Where a result goes: in ComfyUI's output folder, unless the path is whole."""
    path, known = Path(name), folders()
    return (
        path if path.is_absolute() or known is None else Path(known.get_output_directory()) / name
    )


def fitted(mask: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """A mask (h, w) as (1, H, W), of the frame's size."""
    sized = torch.nn.functional.interpolate(
        mask[None, None].float(), frame.shape[-2:], mode="bilinear", align_corners=False
    )
    return sized[0].to(frame)


def first_frames(film: Path, count: int) -> torch.Tensor:
    """The first frames of a film as an IMAGE (n, H, W, 3)."""
    from itertools import islice

    from dreamvid import media

    pixels = [torch.as_tensor(each.copy()) for each in islice(media.frames_of(film), count)]
    return torch.stack(pixels).float() / 255


NODE_CLASS_MAPPINGS = {
    "DreamvidDream": Dream,
    "DreamvidFilm": DreamFilm,
    "DreamvidSettings": Settings,
    "DreamvidNetwork": Network,
    "DreamvidMeasure": Measure,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "DreamvidDream": "Dream",
    "DreamvidFilm": "Dream Film",
    "DreamvidSettings": "Dream Settings",
    "DreamvidNetwork": "Dream Network",
    "DreamvidMeasure": "Dream Measure",
}
if (known := folders()) is not None:
    known.add_model_folder_path("dreamvid", str(Path(known.models_dir) / "dreamvid"))
