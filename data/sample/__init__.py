"""A small made-up dataset in the form of JData 2019, for tests and first steps."""
