"""The recommender: arrays in, a list out. No transport, store, environment or clock of its own.

Read `chain.py` first. Everything else of ECRS is a shell around this package.
"""
