"""Redis and Milvus Lite as programs of our own, for a machine that has neither. The supervisor runs them."""
