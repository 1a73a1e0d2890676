"""`python -m data.mapping init|check`: a first mapping for a shop's files, and a look at what one says."""
