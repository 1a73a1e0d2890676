"""Readable English from the shorthand of The Complete Journey's product table.

"FRZN WHIPPED TOPPING", "8 OZ" becomes "Frozen Whipped Topping, 8 oz".
"""

from __future__ import annotations

import re

DEPARTMENTS = {
    "DRUG GM": "Drugstore & General",
    "MEAT-PCKGD": "Packaged Meat",
    "SEAFOOD-PCKGD": "Packaged Seafood",
    "GM MERCH EXP": "General Merchandise",
    "PASTRY": "Bakery",
    "NUTRITION": "Natural & Nutrition",
}

# The types that are bought most and that word-by-word expansion leaves awkward.
PHRASES = {
    "FLUID MILK WHITE ONLY": "White Milk",
    "SOFT DRINKS 12/18&15PK CAN CAR": "Soft Drinks, Can Pack",
    "SOFT DRINKS 20PK&24PK CAN CARB": "Soft Drinks, Large Can Pack",
    "SOFT DRINKS 6PK/4PK CAN CARB (": "Soft Drinks, Small Can Pack",
    "SFT DRNK 2 LITER BTL CARB INCL": "Soft Drink, Large Bottle",
    "SFT DRNK SNGL SRV BTL CARB (EX": "Soft Drink, Single Bottle",
    "SFT DRNK MLT-PK BTL CARB (EXCP": "Soft Drinks, Bottle Pack",
    "SOFT DRINK BOTTLE NON-CARB (EX": "Still Soft Drink, Bottle",
    "SOFT DRINK POWDER POUCHES": "Drink Powder Pouch",
    "YOGURT NOT MULTI-PACKS": "Yogurt",
    "YOGURT MULTI-PACKS": "Yogurt Multi-Pack",
    "MAINSTREAM WHEAT/MULTIGRAIN BR": "Wheat & Multigrain Bread",
    "MAINSTREAM WHITE BREAD": "White Bread",
    "CANDY BARS (SINGLES)(INCLUDING": "Candy Bar",
    "BEERALEMALT LIQUORS": "Beer, Ale & Malt Liquor",
    "SS ECONOMY ENTREES/DINNERS ALL": "Frozen Dinner, Single Serve",
    "FRZN SS PREMIUM ENTREES/DNRS/N": "Premium Frozen Dinner, Light",
    "FRZN SS PREMIUM ENTREES/DNRS/T": "Premium Frozen Dinner",
    "FRZN MULTI SERVE ENTREES ALL": "Frozen Family Dinner",
    "DAIRY CASE 100% PURE JUICE - O": "Pure Juice, Chilled",
    "DAIRY CASE JUICE DRNK UNDER 10": "Juice Drink, Chilled",
    "DAIRY CASE FRUIT DRINKS (NO JU": "Fruit Drink, Chilled",
    "DAIRY CASE TEA WITH SUGAR OR S": "Sweet Tea, Chilled",
    "RTS SOUP: CHUNKY/HOMESTYLE ET": "Chunky & Homestyle Soup",
    "IWS SINGLE CHEESE": "Wrapped Cheese Slices",
    "NATURAL CHEESE EXACT WT CHUNKS": "Natural Cheese Chunk",
    "NATURAL CHEESE EXACT WT SLICES": "Natural Cheese Slices",
    "SEMI-SOLID SALAD DRESSING MAY": "Mayonnaise & Salad Dressing",
    "NON-CRBNTD DRNKING/MNERAL WATE": "Drinking & Mineral Water",
    "NON-CARB FLVRD DRNKNG/MNRL WAT": "Flavored Water",
    "SGL SV/VEND MACH SNACKS CHIP/P": "Snack Chips, Single Serve",
    "MEXICAN SAUCESSALSAPICANTEE": "Salsa & Picante Sauce",
    "SAUCE MIXES GRAVY MIXES DRY": "Sauce & Gravy Mix",
    "FRZN BRD STICK/PORTON": "Breaded Fish Sticks",
    "PLSTC CTLRYTBLCLTHSTTHPKSST": "Plastic Cutlery & Table Covers",
    "GARBAGE KITCHEN COMPACTOR BA": "Garbage Bags",
    "BUTTER SPRAY CRACKER (RITZ/CLU": "Butter Crackers",
    "MALTED MLK/SYRUP/PWDRS (EGGNOG": "Chocolate Milk Mix & Syrup",
    "VAC PAC NUTS(CANS)": "Canned Nuts",
    "GRND/PATTY - FROZEN": "Frozen Ground Patties",
    "FRZN BOXED VEGETABLES- VALUE A": "Frozen Boxed Vegetables",
    "FRZN BAGGED VEGETABLES- VALUE": "Frozen Bagged Vegetables, Value",
    "TRAY PACK/CHOC CHIP COOKIES": "Chocolate Chip Cookies",
    "FACIAL TISSUE & PAPER HANDKE": "Facial Tissues",
    "ASEPTIC PACK JUICE AND DRINKS": "Juice Boxes & Pouches",
    "FLUID MILK PRODUCTS": "Milk",
    "BAKED BREAD/BUNS/ROLLS": "Bread, Buns & Rolls",
    "SALD DRSNG/SNDWCH SPRD": "Salad Dressings & Sandwich Spreads",
    "CONVENIENT BRKFST/WHLSM SNACKS": "Breakfast Bars & Snacks",
    "WATER - CARBONATED/FLVRD DRINK": "Water",
    "FD WRAPS/BAGS/TRSH BG": "Food Wraps & Bags",
    "PICKLE/RELISH/PKLD VEG": "Pickles & Relishes",
    "DRY BN/VEG/POTATO/RICE": "Dry Beans, Potatoes & Rice",
    "CRACKERS/MISC BKD FD": "Crackers",
    "GREETING CARDS/WRAP/PARTY SPLY": "Greeting Cards & Party Supplies",
    "PEPPERS-ALL": "Peppers",
}

WORDS = {
    "ACCSS": "Accessories", "AND": "and", "BBQ": "BBQ", "BEV": "Beverage", "BG": "Bags", "BKD": "Baked",
    "BN": "Beans", "BNDGES": "Bandages", "BR": "Bread", "BRD": "Breaded", "BRKFST": "Breakfast",
    "BTL": "Bottle", "BTR": "Butter", "CARB": "Carbonated", "CATFD": "Cat Food", "CATSUP": "Ketchup",
    "CHICK": "Chicken", "CHIX": "Chicken", "CHOC": "Chocolate", "CHOCOCLATE": "Chocolate",
    "CIG": "Cigarette", "CKE": "Cake", "CKYS": "Cookies", "CLEANG": "Cleaning", "CND": "Canned",
    "CNDLES": "Candles", "CNDY": "Candy", "CONC": "Concentrate", "CRBNTD": "Carbonated", "CRKR": "Crackers",
    "CRMD": "Creamed", "CRYSTL": "Crystal", "DECAFFINATED": "Decaffeinated", "DEOD": "Deodorant",
    "DISPOSIBLE": "Disposable", "DNR": "Dinner", "DNRS": "Dinners", "DOGFD": "Dog Food", "DRNK": "Drink",
    "DRNKS": "Drinks", "DRP": "Drops", "DRSNG": "Dressing", "DSH": "Dishes", "DVD": "DVD", "FD": "Food",
    "FDS": "Foods", "FEM": "Feminine", "FEM.": "Feminine", "FLAV": "Flavored", "FLVR": "Flavor",
    "FLVRD": "Flavored", "FOR": "for", "FRD": "Fried", "FRZ": "Frozen", "FRZN": "Frozen", "GDS": "Goods",
    "GRND": "Ground", "HBC": "Care", "HDWE": "Hardware", "HYGN": "Hygiene", "HYGN.": "Hygiene",
    "HYGN.NAPKINS": "Hygiene Napkins", "IN": "in", "INCL": "Including", "INSTORE": "In-Store",
    "IQF": "Frozen", "JCE": "Juice", "LIQ": "Liquid", "LIQS": "Liquids", "LOZNG": "Lozenges", "LSS": "Less",
    "MACH": "Machine", "MFG": "Manufacturer", "MICROWAVABLE": "Microwavable", "MISC": "Miscellaneous",
    "MISC.": "Miscellaneous", "MISC.CND": "Misc. Canned", "MIXS": "Mixes", "MLK": "Milk", "MLT": "Multi",
    "MNRL": "Mineral", "MW": "Microwave", "MX": "Mix", "MXS": "Mixes", "NZ": "New Zealand", "OF": "of",
    "OJ": "OJ", "ON": "on", "OR": "or", "PCKGD": "Packaged", "PICKLD": "Pickled", "PK": "Pack",
    "PKG": "Package", "PKGD": "Packaged", "PKLD": "Pickled", "PLSTC": "Plastic", "PNCH": "Punch",
    "PNT": "Peanut", "PORTON": "Portion", "PPK": "Prepacked", "PREM": "Premium", "PREP": "Prepared",
    "PREPACK": "Prepacked", "PREPORTND": "Portioned", "PROTIEN": "Protein", "PRPCK": "Prepacked",
    "PWDR": "Powder", "PWDRS": "Powders", "REFIGERATED": "Refrigerated", "REFRGRATD": "Refrigerated",
    "REFRIG": "Refrigerated", "REG": "Regular", "SALD": "Salad", "SAUS": "Sausage", "SECT": "Sections",
    "SGL": "Single", "SHERBTS": "Sherbets", "SHLF": "Shelf", "SHLFSH": "Shellfish", "SLCD": "Sliced",
    "SNDWCH": "Sandwich", "SNGL": "Single", "SNKS": "Snacks", "SPEC": "Special", "SPECILATY": "Specialty",
    "SPHE": "", "SPLY": "Supplies", "SPRD": "Spread", "SRV": "Serve", "SS": "Single-Serve", "STK": "Stick",
    "SUPPLIE": "Supplies", "SUPPPLIES": "Supplies", "SUPRT": "Supports", "SV": "Serve",
    "SWEETNERS": "Sweeteners", "SWT": "Sweet", "SYRP": "Syrup", "THE": "the", "TISS": "Tissues",
    "TRSH": "Trash", "TV": "TV", "VEG": "Vegetables", "VEND": "Vending", "VIT": "Vitamins", "W": "with",
    "WHL": "Whole", "WHLSM": "Wholesome", "WITH": "with", "WORCHESTER": "Worcestershire", "WT": "Weight",
    "WTR": "Water", "XMAS": "Christmas", "YGRT": "Yogurt",
}  # fmt: skip

# Types that say what a product is like but not what it is: the category is added.
QUALIFIERS = frozenset({
    "ALL", "ANGUS", "ASSORTED", "AUTHENTIC", "BASIC", "BETTER", "BLENDED", "BLENDS", "BONE", "BONELESS",
    "BREAST", "BULK", "CANNED", "CHOICE", "CHOPS", "COMBO", "COOKED", "DRY", "ECONOMY", "ENHANCED",
    "ENROBED", "ENTREES", "EXTERNAL", "FOR", "FRESH", "FROZEN", "GARDEN", "GENERAL", "GROUND", "HOT", "IN",
    "INTERNAL", "LEAN", "LINKS", "LOIN", "MAIN", "MAINSTREAM", "MEAT", "MISC", "MISC.", "MISCELLANEOUS",
    "NATURAL", "NON", "ORGANIC", "OTHER", "PATTIES", "PINTS", "PLUS", "PORTIONS", "PREMIUM", "PREPARED",
    "PRIMAL", "PROCESSED", "RAW", "REGULAR", "RIBS", "ROAST", "SEASONED", "SELECT", "SINGLE", "SMOKED",
    "SNACKS", "SPECIAL", "SPECIALTY", "STEAKS", "STICKS", "SUPER", "THIGHS", "TRADITIONAL", "VALUE",
    "VARIETY", "WHOLE", "WINGS", "YOU",
})  # fmt: skip
_PREFIXES = {"SW GDS", "PREP FD", "MEAT", "SS"}  # in front of a colon, repeating the category in shorthand
_WEIGHED = {"PRODUCE", "MEAT", "DELI", "SALAD BAR", "FLORAL"}  # their package is the supplier's case

_UNITS = {
    "OZ": "oz", "LB": "lb", "LBS": "lb", "ML": "ml", "L": "L", "LT": "L", "LTR": "L", "GA": "gal",
    "GAL": "gal", "CT": "ct", "PK": "pk", "PC": "pc", "FT": "ft", "IN": "in", "DZ": "dozen", "PT": "pt",
    "QT": "qt", "G": "g", "GR": "g", "EA": "each", "LOAD": "loads", "MG": "mg", "YD": "yd", "RO": "rolls",
    "CTN": "carton",
}  # fmt: skip
_SIZE = re.compile(r"(\d*\.?\d+(?:/\d*\.?\d+)?(?:-\d*\.?\d+)?)\s*(SQ FT|[A-Z]+)")


def readable(text: str) -> str:
    """A shorthand phrase in readable title case: "REFRGRATD DOUGH" is "Refrigerated Dough"."""
    text = " ".join(text.split())
    if text in PHRASES:
        return PHRASES[text]
    text = re.sub(r"\([^)]*\)?", " ", text)  # remarks, often cut off: "(BULK&BAG", "(CAT CHOW/FRISKIE"
    text = re.sub(r"\s*&\s*", " & ", text)
    text = re.sub(r"\bW/", "with ", text)
    text = re.sub(r"\s*[/]\s*", " / ", text)
    text = _turned(re.sub(r"-\s*MAGAZINE\b", " MAGAZINE", text))
    words = [_word(word) for word in text.split()]
    title = " ".join(word for word in words if word).strip(" -,/&:")
    return title[:1].upper() + title[1:]


def department(text: str) -> str:
    """The readable name of a department."""
    return DEPARTMENTS.get(text, readable(text))


def package(text: str | None, dept: str) -> str:
    """A package size such as "8 oz", "4 × 4 oz"; empty when unknown or only the supplier's case."""
    match = _SIZE.fullmatch(" ".join((text or "").split()))
    if match is None:
        return ""
    amount, unit = match.groups()
    amount = re.sub(r"^\.", "0.", amount).removesuffix(".0")
    low = amount.split("-")[0].split("/")[-1]
    if dept in _WEIGHED and (unit == "CT" or (unit in ("LB", "LBS") and float(low) > 5)):
        return ""
    return f"{amount.replace('/', ' × ')} {_UNITS.get(unit, unit.lower())}"


def product_title(
    dept: str, category: str | None, kind: str | None, size: str | None, brand: str | None
) -> str:
    """The title shown in the shop, for example "Apple Sauce, 50 oz" or "Store Brand Butter, 1 lb"."""
    name = readable(kind or category or dept)
    if kind and category and set(re.split(r"[^A-Z.]+", kind)) - {""} <= QUALIFIERS:
        noun = readable(category)
        repeated = set(noun.lower().split()) & set(name.lower().split())
        name = noun if kind.startswith("MISC") or name == noun else name if repeated else f"{name} {noun}"
    if not name:
        name = department(dept)
    if brand == "Private":
        name = f"Store Brand {name}"
    packed = package(size, dept)
    return f"{name}, {packed}" if packed else name


def _turned(text: str) -> str:
    """What is behind a colon or a spaced dash describes what is before it: "EGGS - LARGE" is "LARGE EGGS"."""
    match = re.fullmatch(r"([^:]+?)\s*(?::|\s-)\s*(.+)", text)
    if match is None:
        return text
    noun, detail = match.groups()
    detail = re.sub(r"\bBULK$", "", detail).strip() or detail
    return detail if noun in _PREFIXES or noun in detail else f"{detail} {noun}"


def _word(word: str) -> str:
    if word in WORDS:
        return WORDS[word]
    if word.isdigit() or not any(character.isalpha() for character in word):
        return word
    return "-".join(WORDS.get(part, part.capitalize()) for part in word.split("-"))
