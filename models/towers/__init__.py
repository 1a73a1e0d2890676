"""Two towers: a vector of the shopper, a vector of the item, compared by inner product."""
