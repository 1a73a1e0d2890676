"""PaddleServing 0.9.0 as ECRS runs it: the ranker behind a hardened pipeline server.

Read in this order: `__main__` (command line, checks) → `server` (gRPC, start and stop) → `ops` (what happens
to a request) → `batching`, `tensors` (pure numpy) → `predictor` (Paddle itself) → `compat` (why wheels of
2021 still run). Only `ops`, `predictor` and `server` import PaddleServing, and only inside this program.
"""
