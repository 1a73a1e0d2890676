"""`python -m webapp --port 5000`: one web front end. The patch comes before every other import."""

from webapp.patch import patch_for_gevent

patch_for_gevent()

import sys  # noqa: E402

from webapp.server import main  # noqa: E402

sys.exit(main())
