"""`python -m engine.kernels`: compile what is not compiled yet, so that no service has to as it starts."""

import sys

from engine import kernels

if __name__ == "__main__":
    sys.exit(0 if kernels.load() else "numba is not installed: pip install 'numba>=0.61,<1'")
