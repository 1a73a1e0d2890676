"""Reading pages as a browser without JavaScript does: links, files, forms."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

EACH = 15
"""Pages of one kind are alike: so many of each are opened."""
NAMES = {"a": "href", "link": "href", "img": "src", "script": "src", "use": "href"}


@dataclass
class Form:
    """A form: where it sends what, with the values it has at first."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What a page leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.anchors: set[str] = set()
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.anchors.add(given["id"])
        if NAMES.get(tag, "") in given:
            self.links.append(given[NAMES[tag]])
        if tag == "form":
            self._inside = True
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self._inside and tag in {"input", "button"} and given.get("name"):
            chosen = given.get("type") not in {"checkbox", "radio"} or "checked" in given
            if chosen:
                self.forms[-1].fields.setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


@dataclass
class Crawl:
    """What was opened: HTML pages by address, what failed, what leads away from the site."""

    pages: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


def crawl(app: Flask, client: FlaskClient, starts: list[str]) -> Crawl:
    """Follow every link from these pages, at most `EACH` of a kind."""
    found = Crawl()
    seen = set(starts)
    waiting = deque((start, "the start") for start in starts)
    while waiting:
        address, origin = waiting.popleft()
        kind = kind_of(app, address)
        if found.kinds[kind] >= EACH:
            continue
        found.kinds[kind] += 1
        response = client.get(address)
        if response.status_code >= 400:
            found.broken.append(f"{origin} -> {address}: {response.status_code}")
        elif response.mimetype == "text/html" and response.status_code == 200:
            text = found.pages[address] = response.get_data(as_text=True)
            page = Page(text)
            for link in page.links:
                target = _target(address, link)
                if target is None:
                    found.outside.append(f"{address} -> {link}")
                elif link.startswith("#") and link[1:] and link[1:] not in page.anchors:
                    found.broken.append(f"{address} -> {link}: no such place on the page")
                elif target not in seen:
                    seen.add(target)
                    waiting.append((target, address))
        elif response.location and (target := _target(address, response.location)) and target not in seen:
            seen.add(target)
            waiting.append((target, address))
    return found


def submit(client: FlaskClient, address: str, action: str, **values: str) -> TestResponse:
    """Send the first form of a page that posts to `action`, with some fields changed."""
    page = Page(client.get(address).get_data(as_text=True))
    forms = [form for form in page.forms if form.method == "post" and urljoin(address, form.action) == action]
    assert forms, f"{address} has no form that posts to {action}"
    return client.post(action, data={**forms[0].fields, **values})


def kind_of(app: Flask, address: str) -> str:
    """The endpoint of an address with the names of its parameters; files are kinds of their own."""
    parts = urlsplit(address)
    try:
        endpoint, _ = app.url_map.bind("localhost").match(parts.path)
    except HTTPException:
        return address
    if endpoint == "static":
        return parts.path
    return f"{endpoint} {sorted(name for name, _ in parse_qsl(parts.query))}"


def _target(address: str, link: str) -> str | None:
    """The address a link leads to, without the list's token; None for other sites."""
    parts = urlsplit(urljoin(f"http://localhost{address}", link))
    if parts.netloc != "localhost":
        return None
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name != "token"])
    return parts.path + (f"?{query}" if query else "")
