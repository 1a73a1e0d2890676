"""From the catalogue to candidates: channels, filters, and the merge by quota."""
