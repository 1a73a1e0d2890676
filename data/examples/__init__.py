"""Three small shops to try docs/your-data.md with, each written as such a shop exports its data."""
