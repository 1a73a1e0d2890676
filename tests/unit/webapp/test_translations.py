"""Translations fit the texts they stand for, and the shopper's own pages use them."""

from __future__ import annotations

import re

import pytest

from tests.unit.webapp.conftest import Browser
from webapp import translate
from webapp.i18n import LANGUAGES

pytestmark = pytest.mark.unit

OTHERS = list(LANGUAGES)[1:]
PLACE = re.compile(r"%\(\w+\)[sd]")
MARKUP = re.compile(r"</?\w+>|&\w+;")


@pytest.mark.parametrize("language", OTHERS)
def test_translations_fill_in_the_same_values(language: str) -> None:
    for text in translate.read(language):
        if not text.id:
            continue
        ids, strings = (one if isinstance(one, (tuple, list)) else (one,) for one in (text.id, text.string))
        for string in map(str, strings):
            assert sorted(PLACE.findall(string)) == sorted(PLACE.findall(str(ids[-1]))), text.id
            assert sorted(MARKUP.findall(string)) == sorted(MARKUP.findall(str(ids[-1]))), text.id


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "猜你喜欢"),
        ("/cart", "购物车是空的"),
        ("/signin", "用密码登录"),
        ("/register", "年龄"),
        ("/history", "我的足迹"),
        ("/profile", "匿名购物"),
        ("/orders", "还没有订单"),
        ("/no-such-page", "不存在"),
    ],
)
def test_pages_speak_chinese_when_asked(path: str, said: str, browser: Browser) -> None:
    assert said in browser.text(f"{path}?lang=zh")
    assert '<html lang="zh-Hans">' in browser.text(path)  # and remember it


def test_what_happened_is_told_in_the_shoppers_language(browser: Browser) -> None:
    browser.get("/?lang=zh")
    browser.post("/cart/add", item_id="111", quantity="2")
    page = browser.text("/cart")
    assert "“Bananas”已加入购物车，车内共 2 件商品。" in page
    browser.post("/register", login="ann", password="x")
    assert "10 到 128 个字符" in browser.post("/register", login="ann", password="x").get_data(as_text=True)
