"""What is said of each setting where it is written: the text below it, read at run time."""

import ast
import inspect
from functools import cache
from itertools import pairwise
from typing import Any


@cache
def sayings(schema: Any) -> dict[str, str]:
    """The texts below the fields of a dataclass, each in one line, by the fields' names."""
    tree = ast.parse(inspect.cleandoc(inspect.getsource(schema)))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for field, after in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        text = after.value if isinstance(after, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            found[field.target.id] = " ".join(text.value.split())
    return found
