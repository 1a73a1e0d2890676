"""Commands for operators; each parses its arguments, calls the packages and reports."""
