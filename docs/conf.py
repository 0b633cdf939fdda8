"""The site, built from the root of the project: ``sphinx-build -W -c docs . build/site``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from dreamvid import __version__

project = "dreamvid"
author = "The dreamvid authors"
copyright = f"2026, {author}"
release = version = __version__
extensions = ["myst_parser", "making.dream"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**.md",
    "dreamvid/networks/*.md",
    "integrations/**.md",
    "examples/**.md",
]
exclude_patterns = [".*", "build", "**/.*"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "dreamvid"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
