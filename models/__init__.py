"""What learns: feature definitions, models, training, export and releases."""

import warnings

from models import mkl, openmp

# Paddle says so at every import; it compiles nothing here.
warnings.filterwarnings("ignore", message="No ccache found")
# Here, since every module that imports Paddle is below this package.
mkl.use_wide_vectors()
openmp.provide()
