"""Milvus: the collection of a release, how it is built, and search in it."""
