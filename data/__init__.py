"""From raw datasets to the canonical tables that everything else reads (docs/architecture.md, section 1)."""
