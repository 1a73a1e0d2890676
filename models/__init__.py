"""What learns: feature definitions, models, training, export and releases."""
