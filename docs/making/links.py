"""Looks at every link of the finished site: inside, where it leads; outside, how it is written.

The addresses outside are listed in ``links.txt`` beside the site's pages. They are not visited: a
build needs no network.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LIST = "links.txt"
ESCAPED = re.compile(r"[\s<>\"{}|\\^`]")
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")


class Page(HTMLParser):
    """What a page links to, and what of it can be linked to."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        known = dict(attrs)
        self.links += [link for name in ("href", "src") if (link := known.get(name))]
        self.places |= {place for name in ("id", "name") if (place := known.get(name))}


def faults(site: Path) -> Iterator[str]:
    """A line for each link that leads nowhere or is no address; the list is written."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    outside: set[str] = set()
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                outside.add(link)
                if not well_formed(link):
                    yield f"{path.relative_to(site)}: no address: {link}"
            elif not parts.scheme and not _leads(path, parts.path, parts.fragment, pages):
                yield f"{path.relative_to(site)}: leads nowhere: {link}"
    (site / LIST).write_text("".join(f"{each}\n" for each in sorted(outside)), "utf-8")


def well_formed(address: str) -> bool:
    """Whether an address could be one: https, a host with a domain, nothing to be escaped."""
    parts = urlsplit(address)
    host = HOST.fullmatch(parts.hostname or "")
    return parts.scheme == "https" and bool(host) and not ESCAPED.search(address)


def _leads(page: Path, to: str, place: str, pages: dict[Path, Page]) -> bool:
    target = (page.parent / unquote(to)).resolve() if to else page
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return False
    return not place or target not in pages or unquote(place) in pages[target].places
