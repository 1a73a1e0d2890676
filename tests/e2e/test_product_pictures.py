"""Pictures of products in a real browser: one that loads covers the drawing, one that does not shows it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.journeys import is_not_wider_than_the_screen

pytestmark = pytest.mark.e2e


def png(width: int, height: int) -> bytes:
    """A disc on nothing: what is not covered would show through."""
    rows = b"".join(
        b"\0"
        + b"".join(
            b"\xc8\x1e\x1e\xff"
            if (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2
            else b"\0" * 4
            for x in range(width)
        )
        for y in range(height)
    )
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_picture_covers_the_drawing_and_one_that_does_not_load_leaves_it(
    page: Page, fake_shop_url: str, tmp_path: Path
) -> None:
    def serve(route: Route) -> None:
        if "none" in route.request.url:
            route.fulfill(status=404)
        else:
            route.fulfill(body=png(120, 200), content_type="image/png")

    page.route("**/pictures/*.png", serve)
    page.goto(f"{fake_shop_url}/c/produce/tropical-fruit")
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate(
        """[...document.querySelectorAll(".photo")].map(photo => {
          const image = photo.querySelector("img"), inside = image.getBoundingClientRect();
          const whole = photo.getBoundingClientRect();
          return [image.src.split("/").pop(), inside.width / whole.width, inside.height / whole.height];
        })"""
    )
    assert len(sizes) == 3
    for name, width, height in sizes:
        expected = 0 if name == "none.png" else pytest.approx(1, abs=0.01)
        assert (width, height) == (expected, expected), name
    assert is_not_wider_than_the_screen(page)
    page.screenshot(path=tmp_path / "list.png", full_page=True)

    page.goto(f"{fake_shop_url}/items/111")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("img", name="Bananas")).to_be_visible()
    expect(page.get_by_text("Grown on small farms")).to_be_visible()
    expect(page.get_by_role("link", name="View at the shop")).to_have_attribute("rel", "noopener nofollow")
    assert is_not_wider_than_the_screen(page)
    page.screenshot(path=tmp_path / "item.png", full_page=True)
    page.get_by_role("link", name="Large bananas").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Large bananas")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=tmp_path / "broken.png", full_page=True)
