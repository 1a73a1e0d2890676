"""What is measured but does not ship: baselines, and networks that no release contains."""
