"""From prepared data to a release: samples, training loops, export, publishing."""
