"""Where a result is, which a notebook shows as what it is: a picture, or a playing film."""

import base64
import html
import io
from pathlib import Path

from PIL import Image

MOST = 30_000_000
"""Bytes of the largest film that is put into a page."""
FILMS = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
"""What browsers play."""
MOVING = {".gif": "image/gif", ".webp": "image/webp", ".apng": "image/apng"}
"""What they show as a picture that moves."""


class Result(type(Path())):
    """The path of what was made. At the end of a notebook's cell it is shown, not written."""

    def with_segments(self, *segments: str) -> Path:
        """What is beside the result is a plain path."""
        return Path(*segments)

    def _repr_png_(self) -> bytes | None:
        """A picture, as PNG; None for all else."""
        if self.suffix.lower() in (*FILMS, *MOVING) or not self.is_file():
            return None
        if self.suffix.lower() == ".png":
            return self.read_bytes()
        try:
            with Image.open(self) as picture:
                shown = io.BytesIO()
                picture.convert("RGB").save(shown, "PNG")
        except OSError:  # Pillow does not read it, such as EXR
            return None
        return shown.getvalue()

    def _repr_html_(self) -> str | None:
        """A film that plays over and over; None for a picture."""
        kind = self.suffix.lower()
        if kind not in (*FILMS, *MOVING) or not self.is_file():
            return None
        name = html.escape(str(self))
        if self.stat().st_size > MOST:
            return f"<code>{name}</code> ({self.stat().st_size / 1e6:.0f} MB)"
        data = base64.b64encode(self.read_bytes()).decode()
        if kind in MOVING:
            return f'<img alt="{name}" src="data:{MOVING[kind]};base64,{data}">'
        return (
            f'<video controls loop autoplay muted playsinline title="{name}" '
            f'style="max-width:100%" src="data:{FILMS[kind]};base64,{data}"></video>'
        )
