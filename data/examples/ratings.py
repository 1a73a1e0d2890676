"""Ratings of films, sorted by user as such files are, and a list of films with genres."""

from __future__ import annotations

import random
from datetime import timezone

from data.examples.shoppers import Catalogue, Shopper, Table, moments

SEED = 3
_USERS = 400
_GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Sci-Fi", "Western", "Animation")
_NOUNS = ("River", "Night", "City", "Garden", "Road", "Island", "Winter", "Letter", "Train", "Mirror")
_ADJECTIVES = ("Silent", "Last", "Golden", "Broken", "Hidden")

MAPPING = """\
[dataset]
name = "films"
title = "Films"
positive = ["rate"]

[events]
file = "ratings.csv"
user_id = "userId"
item_id = "movieId"
time = "timestamp"
time_format = "epoch_s"
type_constant = "rate"
value = "rating"

[items]
file = "movies.csv"
item_id = "movieId"
title = "title"

[[items.feature]]
name = "genres"
kind = "multi"
separator = "|"
display = { en = "Genres", zh = "类型" }
"""


def tables() -> dict[str, Table]:
    """ratings.csv and movies.csv; nobody rates a film twice."""
    draw = random.Random(SEED)
    size = len(_NOUNS) * len(_ADJECTIVES)
    catalogue = Catalogue(draw, len(_GENRES), size)
    films: list[tuple[object, ...]] = [("movieId", "title", "genres")]
    for number in range(len(_GENRES) * size):
        title = f"The {_ADJECTIVES[number % 5]} {_NOUNS[number // 5 % 10]} ({1960 + number % 60})"
        genre = _GENRES[catalogue.theme(number)]
        second = draw.choice(_GENRES)
        films.append((number + 1, title, genre if second == genre else f"{genre}|{second}"))
    rows: list[tuple[object, ...]] = [("userId", "movieId", "rating", "timestamp")]
    for user in range(_USERS):
        shopper = Shopper(user, catalogue, draw)
        seen: set[int] = set()
        for at in moments(draw, shopper.visits):
            seconds = int(at.replace(tzinfo=timezone.utc).timestamp())
            for place, film in enumerate(shopper.basket(4)):
                if film not in seen:
                    stars = draw.choices((1.0, 2.0, 3.0, 3.5, 4.0, 4.5, 5.0), (1, 2, 5, 6, 9, 5, 4))[0]
                    rows.append((user + 1, film + 1, stars, seconds + 60 * place))
                    seen.add(film)
    return {"ratings.csv": rows, "movies.csv": films}
