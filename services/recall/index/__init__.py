"""Vector indexes: who is nearest to a user, in inner product over L2-normalised vectors.

`port` says what an index is; `exact` computes it; `milvus` asks Milvus; `collection` and `build` are the
Milvus collection of a release: its name, its description, how it comes to be.
"""
