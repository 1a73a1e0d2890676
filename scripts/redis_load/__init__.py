"""Loading prepared data into Redis: `sources` and `histories` read, `loader` writes and switches."""
