"""Browsing, searching and products in a browser, served by the real web tier over fakes of the services."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import catalogue

pytestmark = pytest.mark.e2e


def test_a_first_visit(page: Page, fake_shop_url: str) -> None:
    catalogue.first_visit(page, fake_shop_url)


def test_browsing_a_category(page: Page, fake_shop_url: str) -> None:
    catalogue.browse_a_category(page, fake_shop_url)


def test_searching(page: Page, fake_shop_url: str) -> None:
    catalogue.search_for_something(page, fake_shop_url)


def test_why_a_product_is_shown(page: Page, fake_shop_url: str) -> None:
    catalogue.why_a_product_is_shown(page, fake_shop_url)


def test_the_language_is_switched(page: Page, fake_shop_url: str) -> None:
    catalogue.switch_the_language(page, fake_shop_url)


def test_an_unknown_product_is_no_dead_end(page: Page, fake_shop_url: str) -> None:
    catalogue.an_unknown_product_is_no_dead_end(page, fake_shop_url)


def test_everything_works_without_javascript(browser: Browser, fake_shop_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(fake_shop_url)
    page.get_by_role("searchbox").fill("milk")
    page.get_by_role("button", name="Search", exact=True).click()
    page.locator(".results .card .add").first.click()
    expect(page.locator("header .count")).to_have_text("1")
    page.locator(".results .card .open").first.click()
    expect(page.locator("article.product h1")).to_be_visible()
    page.get_by_role("button", name="Not interested").first.click()
    expect(page.get_by_text("will not be suggested")).to_be_visible()
    context.close()
