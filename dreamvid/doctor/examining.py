"""All checks in turn."""

from collections.abc import Iterator

from dreamvid.doctor import computing, libraries, surroundings
from dreamvid.doctor.findings import Finding, checks
from dreamvid.errors import in_one_line

IN_ORDER = (libraries, computing, surroundings)
"""The files of checks; importing them registers their functions."""


def examined() -> Iterator[tuple[str, Finding]]:
    """The name of each check and each of its findings, one after another.

    A check that cannot be done is a finding too.
    """
    order = {module.__name__: place for place, module in enumerate(IN_ORDER)}
    for name in sorted(checks.names(), key=lambda each: order[checks[each].__module__]):
        try:
            for finding in checks[name]():
                yield name, finding
        # Whatever a broken library does, the other checks are still wanted.
        except Exception as error:
            said = in_one_line(error)
            yield name, Finding("wrong", f"cannot be checked: {said}", f"mend that first ({name})")
