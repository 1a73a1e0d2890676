"""The shop in English and Chinese: which one is spoken, and that no text is left out."""

from __future__ import annotations

import pytest

from tests.unit.webapp.conftest import Browser
from webapp.i18n import LANGUAGES
from webapp.translate import FOLDER, compiled, extracted, read, untranslated

pytestmark = pytest.mark.unit


def test_the_language_is_the_browsers_until_one_is_chosen(browser: Browser) -> None:
    assert '<html lang="en">' in browser.text("/")
    chinese = browser.get("/", **{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"})
    assert '<html lang="zh-Hans">' in chinese.get_data(as_text=True)
    assert "Accept-Language" in chinese.headers["Vary"]
    assert '<html lang="en">' in browser.get("/", **{"Accept-Language": "fr"}).get_data(as_text=True)


def test_a_chosen_language_is_kept(browser: Browser) -> None:
    response = browser.get("/?lang=zh")
    assert "猜你喜欢" in response.get_data(as_text=True)
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "猜你喜欢" in browser.text("/")
    assert "For you" in browser.text("/?lang=en")
    assert "For you" in browser.text("/")


def test_a_language_that_is_not_spoken_is_ignored(browser: Browser) -> None:
    response = browser.get("/?lang=xx")
    assert '<html lang="en">' in response.get_data(as_text=True)
    assert "ecrs_lang" not in response.headers.get("Set-Cookie", "")


def test_the_switch_stays_on_the_page(browser: Browser) -> None:
    page = browser.text("/search?q=milk&sort=price")
    assert 'href="/search?q=milk&amp;sort=price&amp;lang=zh"' in page


def test_shared_lists_are_worded_in_each_shoppers_language(browser: Browser, other_browser: Browser) -> None:
    assert "Popular with everyone" in browser.text("/")
    assert "Popular with everyone" not in other_browser.text("/?lang=zh")


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_text_is_translated(language: str) -> None:
    assert untranslated(read(language), extracted()) == [], (
        "say make translations, and fill in what is missing"
    )


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_the_compiled_catalogue_is_that_of_the_texts(language: str) -> None:
    made = (FOLDER / language / "LC_MESSAGES" / "messages.mo").read_bytes()
    assert made == compiled(read(language)), "say make translations"


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_translations_name_the_same_values(language: str) -> None:
    problems = [
        (message.id, str(error)) for message in read(language) for error in message.check() if message.id
    ]
    assert problems == []
