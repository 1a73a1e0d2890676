"""Browsing, searching and looking at products, step by step, on whatever shop answers at `url`."""

from __future__ import annotations

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.journeys import is_not_wider_than_the_screen

GRAVE = ("serious", "critical")


def first_visit(page: Page, url: str) -> None:
    """Somebody who was never here: a list, what trends, what is new, and where to begin."""
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome")
    for title in ("For you", "Trending", "New", "Browse by category"):
        expect(page.get_by_role("heading", level=2, name=title, exact=True)).to_be_visible()
    check(page)
    page.locator("#begin a").first.click()
    expect(page.locator(".results .card").first).to_be_visible()


def browse_a_category(page: Page, url: str) -> None:
    """From all categories down, sorted and narrowed, to the next page and a product."""
    page.goto(f"{url}/categories")
    check(page)
    page.locator(".tree h2 a").first.click()
    name = page.get_by_role("heading", level=1).inner_text()
    expect(page.locator(".crumbs [aria-current]")).to_have_text(name)
    check(page)
    page.get_by_role("link", name="Price, lowest first").click()
    prices = [
        float(text.strip("$¥€").replace(",", ""))
        for text in page.locator(".results .price").all_inner_texts()
    ]
    assert prices == sorted(prices)
    if not page.locator(".facets").is_visible():
        page.locator(".filters summary").click()
    page.locator(".boxes a").first.click()
    expect(page.locator(".boxes .chosen")).to_have_count(1)
    expect(page.get_by_role("link", name="Price, lowest first")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Show all again").click()
    page.get_by_role("link", name="Chosen for you").click()
    expect(page.locator(".results .card").first).to_be_visible()
    page.locator(".results .card .open").first.click()
    expect(page.locator("article.product h1")).to_be_visible()
    check(page)


def search_for_something(page: Page, url: str) -> None:
    """Search from the header, with a typing error too; nothing found is no dead end, a mistake is told."""
    page.goto(url)
    page.get_by_role("searchbox").fill("chocolate")
    page.keyboard.press("Enter")
    expect(page.locator(".results .card").first).to_be_visible()
    check(page)
    page.get_by_role("searchbox").fill("banannas")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("Showing results for")).to_be_visible()
    expect(page.locator(".results .title").first).to_contain_text("Banana")
    page.get_by_role("searchbox").fill("qzxwvqzxwv")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    expect(page.locator("#instead .card").first).to_be_visible()
    check(page)
    page.goto(f"{url}/search?q=milk&min=cheap")
    expect(page.get_by_text("“cheap” is not a price")).to_be_visible()
    check(page)
    page.get_by_role("link", name="Begin at the start of this list").click()


def why_a_product_is_shown(page: Page, url: str) -> None:
    """The card says why, the product's page says it again; products beside it have reasons of their own."""
    page.goto(f"{url}/signin")
    page.locator(".personas button").nth(7).click()
    card = page.locator("#for-you .card").nth(1)
    reason, title = card.locator(".reason").inner_text(), card.locator(".title").inner_text()
    card.locator(".open").click()
    expect(page.locator("article.product h1")).to_have_text(title)
    expect(page.locator(".why")).to_contain_text(re.compile(re.escape(reason.split(" (")[0].split(title)[0])))
    beside = page.locator("#together .open, #similar .open").first
    beside.click()
    expect(page.locator(".why")).to_contain_text(title)
    expect(page.locator("#seen .title").first).to_have_text(title)
    check(page)


def switch_the_language(page: Page, url: str) -> None:
    """Chinese by the switch, on every page after it, and back."""
    page.goto(f"{url}/search?q=milk")
    phone = page.viewport_size == {"width": 390, "height": 844}
    page.locator("footer" if phone else "header").get_by_role("link", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page).to_have_url(re.compile("q=milk"))
    page.goto(url)
    expect(page.get_by_role("heading", level=2, name="猜你喜欢")).to_be_visible()
    check(page)
    page.locator("footer" if phone else "header").get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=2, name="For you")).to_be_visible()


def an_unknown_product_is_no_dead_end(page: Page, url: str) -> None:
    """A 404 with something else to look at."""
    page.goto(f"{url}/items/no-such-product")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such product")
    check(page)
    page.locator("#instead .open").first.click()
    expect(page.locator("article.product h1")).to_be_visible()


def everything_works_without_javascript(browser: Browser, url: str) -> None:
    """Searching, the cart, a product and an opinion."""
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(url)
    page.get_by_role("searchbox").fill("milk")
    page.get_by_role("button", name="Search", exact=True).click()
    page.locator(".results .card .add").first.click()
    expect(page.locator("header .count")).to_have_text("1")
    page.locator(".results .card .open").first.click()
    expect(page.locator("article.product h1")).to_be_visible()
    page.get_by_role("button", name="Not interested").first.click()
    expect(page.get_by_text("will not be suggested")).to_be_visible()
    context.close()


def check(page: Page) -> None:
    """The page fits the screen, and axe finds nothing serious."""
    assert is_not_wider_than_the_screen(page), page.url
    found = Axe().run(page).response["violations"]
    grave = [
        (one["id"], [node["html"][:160] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in GRAVE
    ]
    assert grave == [], page.url
