"""What learns: feature definitions, models, training, export and releases."""

import warnings

# Paddle says so at every import; it compiles nothing here.
warnings.filterwarnings("ignore", message="No ccache found")
