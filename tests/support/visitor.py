"""A visitor of a running shop without JavaScript: pages, forms and cookies."""

from __future__ import annotations

from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, build_opener

from tests.support.crawl import Page


class Visitor:
    """One browser's worth of cookies on a shop's address."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def read(self, path: str) -> str:
        """The page's text; urllib's HTTPError where its status is an error."""
        with self._opener.open(urljoin(self._url, path), timeout=20) as answer:
            text: str = answer.read().decode()
        return text

    def submit(self, path: str, action: str, **values: str) -> str:
        """Send the first form of a page that posts to `action`, some fields changed; the page after it."""
        forms = [form for form in Page(self.read(path)).forms if form.method == "post"]
        fitting = [form for form in forms if urljoin(path, form.action) == action]
        assert fitting, f"{path} has no form that posts to {action}"
        data = urlencode({**fitting[0].fields, **values}).encode()
        with self._opener.open(urljoin(self._url, action), data, timeout=20) as answer:
            text: str = answer.read().decode()
        return text
