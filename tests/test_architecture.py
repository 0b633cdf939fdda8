"""The rooms and their order, read from the design page; every import, wherever it stands."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import dreamvid

ROOT = Path(dreamvid.__file__).parent
DESIGN = Path(__file__).parents[1] / "docs" / "design.md"
LONGEST_FILE, LONGEST_FUNCTION, MOST_FILES = 320, 60, 8
"""Lines; a function's are counted without its docstring, which says as much as it needs."""


def rooms():
    """The rooms in order, first those that every other may use."""
    tree = DESIGN.read_text("utf-8").partition("```\ndreamvid/\n")[2].partition("```")[0]
    columns = [re.split(r"\s{3,}", line.strip())[0] for line in tree.splitlines()]
    names = [name for column in columns for name in re.findall(r"(\w+)(?:/|\.py)", column)]
    assert names
    return [name for name in names if name not in ("__init__", "__main__")]


def files():
    return sorted(ROOT.rglob("*.py"))


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in files()}


def imported(path):
    """The modules of dreamvid that a file imports anywhere, functions and strings included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dreamvid"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    yield whole
                elif whole != "dreamvid.__version__":
                    yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.startswith("dreamvid"))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            assert isinstance(node.args[0], ast.Constant), f"{path}: a module without a name"
            yield node.args[0].value


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "the doors"


def graph():
    return {module: set(imported(path)) - {module} for module, path in MODULES.items()}


def test_every_room_stands_in_the_design():
    inside = {room_of(module) for module in MODULES} - {"the doors", "__main__"}
    assert inside <= set(rooms())


def test_rooms_import_only_what_stands_above_them():
    order = [*rooms(), "the doors", "__main__"]
    for module, needs in graph().items():
        for needed in needs:
            assert order.index(room_of(needed)) <= order.index(room_of(module)), (
                f"{module} imports {needed}, whose room stands below its own"
            )


def test_no_files_import_in_a_circle():
    left = {module: needs & MODULES.keys() for module, needs in graph().items()}
    # A package hands on what its files offer, and they never ask it back.
    while ready := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in ready}
    assert not left, f"a circle among {sorted(left)}"


def test_files_and_functions_stay_small():
    assert sum(path.parent == ROOT for path in files()) <= MOST_FILES
    for path in files():
        text = path.read_text("utf-8")
        assert text.count("\n") <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = node.end_lineno - node.lineno + 1
                if ast.get_docstring(node):
                    length -= node.body[0].end_lineno - node.body[0].lineno + 1
                assert length <= LONGEST_FUNCTION, f"{path}: {node.name} has {length} lines"


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, dreamvid, dreamvid.cli; "
        "sys.exit(str([m for m in ('torch', 'numpy', 'cv2', 'av', 'PIL') if m in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.strip() == "[]"
