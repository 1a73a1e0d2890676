"""Browsing, searching and products in a browser, with everything behind it running (fixture `shop_url`)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e import catalogue

pytestmark = pytest.mark.e2e


def test_a_first_visit(page: Page, shop_url: str) -> None:
    catalogue.first_visit(page, shop_url)


def test_browsing_a_category(page: Page, shop_url: str) -> None:
    catalogue.browse_a_category(page, shop_url)


def test_searching(page: Page, shop_url: str) -> None:
    catalogue.search_for_something(page, shop_url)


def test_why_a_product_is_shown(page: Page, shop_url: str) -> None:
    catalogue.why_a_product_is_shown(page, shop_url)


def test_the_language_is_switched(page: Page, shop_url: str) -> None:
    catalogue.switch_the_language(page, shop_url)


def test_an_unknown_product_is_no_dead_end(page: Page, shop_url: str) -> None:
    catalogue.an_unknown_product_is_no_dead_end(page, shop_url)


def test_everything_works_without_javascript(browser: Browser, shop_url: str) -> None:
    catalogue.everything_works_without_javascript(browser, shop_url)
