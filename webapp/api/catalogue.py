"""Items, search and categories: the same for all who ask, so answers carry an ETag."""

from __future__ import annotations

from engine.types import SearchQuery
from webapp.api.answers import Categories, Category, Item, Items, SearchPage
from webapp.api.inputs import CategoriesQuery, ItemsQuery, SearchParameters
from webapp.api.operations import operation
from webapp.shop import current_shop


@operation("GET", "/items", "items", query=ItemsQuery, answer=Items, keep="revalidate", problems=(504,))
def list_items(query: ItemsQuery) -> Items:
    """The catalogue in pages, or the items named by `id`.

    Items whose id contains a `/` can only be read here. In a stale answer, an id of which there is no copy is
    in neither list.
    """
    shop = current_shop()
    if query.id:
        found, missing = shop.stand_ins.items(query.id, shop.call_timeout_s)
        return Items(items=tuple(map(Item.of, found)), missing_ids=tuple(missing))
    page, token = shop.stand_ins.page_now(query.page_size, query.page_token, shop.call_timeout_s)
    return Items(items=tuple(map(Item.of, page)), next_page_token=token)


@operation("GET", "/items/{item_id}", "items", answer=Item, keep="revalidate", problems=(404, 504))
def get_item(item_id: str) -> Item:
    """One item."""
    shop = current_shop()
    return Item.of(shop.stand_ins.item(item_id, shop.call_timeout_s))


@operation(
    "GET", "/search", "items", query=SearchParameters, answer=SearchPage, keep="revalidate", problems=(504,)
)
def search_items(query: SearchParameters) -> SearchPage:
    """Search and browse.

    By text (typing errors are forgiven), category, brand and price, with counts by brand and category over
    all that fits.
    """
    shop = current_shop()
    asked = SearchQuery(
        text=query.query,
        category_path=query.category,
        brands=query.brand,
        price_min=query.price_min,
        price_max=query.price_max,
        order=query.order if "order" in query.model_fields_set else "",
        page_size=query.page_size,
        page_token=query.page_token,
        include_unavailable=query.include_unavailable,
        variant_of=query.variant_of,
    )
    return SearchPage.of(shop.stand_ins.search(asked, shop.call_timeout_s))


@operation(
    "GET",
    "/categories",
    "items",
    query=CategoriesQuery,
    answer=Categories,
    keep="revalidate",
    problems=(504,),
)
def list_categories(query: CategoriesQuery) -> Categories:
    """The category tree with numbers of items."""
    shop = current_shop()
    found = shop.stand_ins.categories(query.depth, shop.call_timeout_s)
    return Categories(categories=tuple(map(Category.of, found)))
