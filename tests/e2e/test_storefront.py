"""The shop in a real browser, with everything behind it running (fixture `shop_url`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e import journeys

pytestmark = pytest.mark.e2e


def test_a_household_clicks_and_sees_the_list_change(page: Page, shop_url: str) -> None:
    journeys.household_clicks_and_sees_the_list_change(page, shop_url)


def test_a_newcomer_registers_by_the_form(page: Page, shop_url: str) -> None:
    journeys.newcomer_registers_by_the_form(page, shop_url)


def test_an_anonymous_click_changes_the_list(page: Page, shop_url: str) -> None:
    journeys.anonymous_click_changes_the_list(page, shop_url)


def test_a_product_of_no_interest_goes_away(page: Page, shop_url: str) -> None:
    journeys.product_of_no_interest_goes_away(page, shop_url)


def test_a_keyboard_is_enough(page: Page, shop_url: str) -> None:
    journeys.a_keyboard_is_enough(page, shop_url)


def test_mistakes_are_told_kindly(page: Page, shop_url: str) -> None:
    journeys.mistakes_are_told_kindly(page, shop_url)


def test_every_page_fits_the_screen(page: Page, shop_url: str, tmp_path: Path) -> None:
    for picture in journeys.photograph(page, shop_url, tmp_path):
        assert picture.stat().st_size > 10_000
