"""The directive ``{dream}``: commands, and what they make.

::

    ```{dream}
    :as: film
    dreamvid zoom seed.jpg --motion spiral
    ```
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from making import links, reference, running

KINDS = ("picture", "film", "strip")
READ: set[str] = set()
"""The pages that this build has read."""
logger = logging.getLogger(__name__)


def _kind(text: str) -> str:
    return directives.choice(text, KINDS)


class Dream(SphinxDirective):
    """Runs the commands of its content, unless that was done before, and shows the last one's."""

    has_content = True
    option_spec = {"as": _kind, "alt": directives.unchanged}  # noqa: RUF012 - docutils' way

    def run(self) -> list[nodes.Node]:
        """The commands, what they made, and how long that took."""
        lines = [line for line in self.content if line.strip()]
        kind = self.options.get("as", "picture")
        try:
            shown = running.shown(lines, kind)
        except running.Failed as failed:
            logger.error("%s", failed, location=self.get_location())
            return []
        code = nodes.literal_block("\n".join(lines), "\n".join(lines), language="sh")
        where = f"/{shown.path.relative_to(running.ROOT)}"
        picture = nodes.image(uri=where, alt=self.options.get("alt", lines[-1]))
        figure = nodes.figure("", picture, classes=["dream"])
        words = f"{shown.seconds:.0f} s of the processor at {running.SIDE} pixels, with pocket"
        figure += nodes.caption("", words)
        return [code, figure]


def write_reference(app) -> None:
    """Write the pages of the reference anew, where they have changed."""
    folder = running.ROOT / "docs" / "reference"
    folder.mkdir(exist_ok=True)
    pages = reference.pages()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def forget_unused(app, exception) -> None:
    """Remove pictures that no page shows, where every page was read and all went well."""
    if exception is None and set(app.env.found_docs) == set(app.env.all_docs) == READ:
        running.forget_unused()


def look_at_links(app, exception) -> None:
    """Warn of each link that leads nowhere."""
    if exception is None and app.builder.name == "html":
        for fault in links.faults(Path(app.outdir).resolve()):
            logger.warning("%s", fault)


def setup(app) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("dream", Dream)
    app.connect("builder-inited", write_reference)
    app.connect("source-read", lambda app, name, source: READ.add(name))
    app.connect("build-finished", forget_unused)
    app.connect("build-finished", look_at_links)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
