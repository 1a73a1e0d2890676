"""Networks that order the candidates by the probability that the shopper takes them."""
