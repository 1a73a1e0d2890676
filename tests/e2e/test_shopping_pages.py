"""Cart, orders, history and accounts in a browser, served by the real web tier over fakes of the services."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.e2e import shopping

pytestmark = pytest.mark.e2e


def test_from_a_product_to_an_order(page: Page, fake_shop_url: str) -> None:
    shopping.from_product_to_order(page, fake_shop_url)


def test_a_newcomer_comes_back_with_a_password(page: Page, fake_shop_url: str) -> None:
    shopping.newcomer_comes_back_with_a_password(page, fake_shop_url)


def test_a_visit_comes_along_at_sign_in(page: Page, fake_shop_url: str) -> None:
    shopping.visit_comes_along(page, fake_shop_url)


def test_what_is_of_no_interest_is_remembered(page: Page, fake_shop_url: str) -> None:
    shopping.not_interested_is_remembered(page, fake_shop_url)


def test_three_clicks_raise_their_category(page: Page, fake_shop_url: str) -> None:
    shopping.three_clicks_raise_a_category(page, fake_shop_url)
