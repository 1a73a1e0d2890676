"""Browsing, searching and products in a browser, served by the real web tier over fakes of the services."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

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
    catalogue.everything_works_without_javascript(browser, fake_shop_url)
