import ast
import subprocess
import sys
from pathlib import Path

import dreamvid

ROOT = Path(dreamvid.__file__).parent
LEVELS = [
    {"errors", "streams"},
    {"frames", "registry", "schedules", "settings"},
    {"beside", "blur", "laplacian", "machine"},
    {"presets", "networks", "octaves", "warp", "media"},
    {"objectives", "tiles", "ascent", "recording"},
    {"motions", "timeline", "flow", "dreamer", "sinks"},
    {"seams", "sources", "logs"},
    {"carry", "compositing", "contact", "tone", "distil", "train"},
    {"cadence"},
    {"pipeline", "space"},
    {"job"},
    {"loops"},
    {"kinds"},
    {"runs", "progress"},
    {"previews", "folders"},
    {"films"},
    {"listing", "measure", "bench", "sheets", "explain", "__init__"},
    {"cli", "__main__"},
]


def level(module):
    return next(number for number, names in enumerate(LEVELS) if module in names)


def imports(path):
    """dreamvid's modules that a file imports at its top level."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dreamvid"):
            parts = node.module.split(".")
            names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            yield from (name for name in names if name != "__version__")


def test_imports_point_down():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = parts[0]
        for imported in imports(path):
            if imported == module:
                continue
            below = level(imported) < level(module)
            beside = level(imported) == level(module)
            assert below or beside, f"{module} imports {imported}, which is above it"


def test_nothing_imports_in_a_circle():
    graph = {path.relative_to(ROOT).with_suffix("").parts[0]: set() for path in ROOT.rglob("*.py")}
    for path in ROOT.rglob("*.py"):
        module = path.relative_to(ROOT).with_suffix("").parts[0]
        graph[module] |= set(imports(path)) - {module}
    done = set()
    while len(done) < len(graph):
        ready = {name for name, needs in graph.items() if needs & graph.keys() <= done} - done
        assert ready, f"a circle among {sorted(graph.keys() - done)}"
        done |= ready


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, dreamvid, dreamvid.cli; "
        "sys.exit(str([m for m in ('torch', 'numpy', 'cv2', 'av', 'PIL') if m in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.strip() == "[]"
