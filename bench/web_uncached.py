"""`python -m bench.web_uncached --port PORT`: a web front end without the shared cache, for bench.web.

Patches for gevent, then runs bench/uncached_front_end.py: nothing else may be imported before the patch.
"""

import runpy

from webapp.patch import patch_for_gevent

if __name__ == "__main__":
    patch_for_gevent()
    runpy.run_module("bench.uncached_front_end", run_name="__main__")
