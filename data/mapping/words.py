"""Names and values that shops' exports use, by what they mean; matched without case, blanks and signs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_ROLES = {
    # The likelier name of two first.
    "user_id": """
        userid customerid visitorid clientid memberid shopperid buyerid custid uid customernumber
        customeruserid kundennummer kundennr kundenid kunde customer user visitor client member shopper
        buyer email customeremail billingemail reviewerid accountid sessionid cookieid 用户id 用户编号 用户
    """,
    "item_id": """
        itemid productid skuid sku stockcode articleid articlenumber lineitemsku variantsku productsku
        artikelnummer artikelnr artnr artikel article item product productcode itemcode asin isbn
        movieid bookid goodsid handle id lineitemname 商品id 商品编号 商品
    """,
    "time": """
        timestamp invoicedate orderdate createdat datetime date time eventtime when transactiondt
        transactiondate purchasedate bestelldatum datum zeitpunkt zeit ts at paidat dateadd
        unixreviewtime 购买时间 时间 日期
    """,
    "type": """
        event eventtype eventname action actiontype type behavior behaviour behaviortype vorgang aktion
        ereignis interaction 行为
    """,
    "rating": """
        rating stars score overall bewertung sterne 评分
    """,
    "quantity": """
        quantity qty lineitemquantity menge anzahl stueck amount units 数量
    """,
    "price": """
        price unitprice lineitemprice itemprice itemcost einzelpreis preis vk verkaufspreis listprice
        variantprice regularprice 价格 单价
    """,
    "value": """
        value salesprice linetotal itemtotal total revenue betrag umsatz summe salesvalue paid 金额
    """,
    "invoice": """
        invoice invoiceno invoicenumber orderid ordernumber order rechnung rechnungsnummer belegnr bon
        basketid name 订单号
    """,
    "title": """
        title producttitle productname itemname lineitemname name description bezeichnung
        artikelbezeichnung titel 商品名称 名称
    """,
    "category": """
        category categories productcategory categorypath producttype warengruppe kategorie department
        productsubclass subclass type categoryid 类目 品类
    """,
    "brand": """
        brand vendor manufacturer hersteller marke 品牌
    """,
    "available": """
        available instock lieferbar availability published
    """,
    "description": """
        longdescription body bodyhtml beschreibung description
    """,
    "image_url": """
        imageurl image imagesrc images bild picture
    """,
    "url": """
        url link producturl permalink
    """,
    "genres": """
        genres genre tags
    """,
    "status": """
        status orderstatus financialstatus paymentstatus
    """,
}
_TYPES = {
    "view": """
        view pv pageview productview viewitem itemview productdetailview detail look visit browse
        angesehen ansicht viewed productviewed
    """,
    "click": """
        click klick geklickt clicked selectitem
    """,
    "cart": """
        cart addtocart add basket addtobasket warenkorb productadded
    """,
    "purchase": """
        purchase transaction buy order sale bought purchased ordercompleted kauf gekauft verkauf
        bestellt bestellung checkout paid
    """,
    "favorite": """
        fav favorite favourite wishlist addtowishlist like merkliste gemerkt
    """,
    "comment": """
        comment review kommentar
    """,
    "rate": """
        rate rating rated bewertet
    """,
    "dislike": """
        dislike disliked hide
    """,
}

ROLES: Mapping[str, Sequence[str]] = {role: names.split() for role, names in _ROLES.items()}
"""Role of a column to the names that it has, normalised."""

TYPES: Mapping[str, Sequence[str]] = {kind: values.split() for kind, values in _TYPES.items()}
"""Event type to the values that mean it, normalised."""

NO_PRODUCT = re.compile(
    r"\b(postage|shipping|freight|carriage|delivery|versand|porto|fees?|charges?|discount|voucher"
    r"|gift ?cards?|gutschein|rabatt|manual|adjust\w*|commission|bank)\b",
    re.IGNORECASE,
)
"""In titles of lines that are no products."""


def normalised(text: str) -> str:
    """Letters and digits only, lower case.

    >>> normalised("Customer ID"), normalised("user.id"), normalised("Add_To_Cart")
    ('customerid', 'userid', 'addtocart')
    """
    return re.sub(r"[\W_]", "", text.lower())


def column_for(role: str, names: Iterable[str]) -> str:
    """The column that is likeliest to have the role; empty if none is named so."""
    by_name = {normalised(name): name for name in reversed(list(names))}
    last_parts = {normalised(name.rpartition(".")[2]): name for name in by_name.values() if "." in name}
    for known in ROLES[role]:
        if known in by_name:
            return by_name[known]
    return next((last_parts[known] for known in ROLES[role] if known in last_parts), "")


def type_for(value: str) -> str:
    """The event type that a value of a type column means; empty if none is known."""
    word = normalised(value)
    return next((kind for kind, values in TYPES.items() if word in values), "")
