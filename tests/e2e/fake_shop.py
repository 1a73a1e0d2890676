"""`python -m tests.e2e.fake_shop STATE_DIR REDIS_URL`: the real web tier over fakes of the services.

Prints its port, then serves until standard input closes.
"""

from webapp.patch import patch_for_gevent

patch_for_gevent()

import sys  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
from gevent.fileobject import FileObject  # noqa: E402

from engine.types import Item  # noqa: E402
from services.common import log as logs  # noqa: E402
from services.settings import Settings  # noqa: E402
from tests.unit.webapp.fake_stores import DATASET_TOML  # noqa: E402
from tests.unit.webapp.fakes import make_services  # noqa: E402
from tests.unit.webapp.stores import memory_stores  # noqa: E402
from webapp import create_app  # noqa: E402
from webapp.server import FrontEndServer  # noqa: E402


def _family(item: Item) -> dict[str, Item]:
    """The item with all that a shop may say of it, and two variants; one of their pictures never loads."""
    full = replace(
        item,
        description="Ripe and sweet.\nGrown on small farms, picked by hand.",
        url="https://shop.example/bananas",
        image_url="/pictures/bananas.png",
    )
    small = replace(full, item_id="111-s", title="Small bananas", variant_of="111", price=0.5)
    large = replace(small, item_id="111-l", title="Large bananas", image_url="/pictures/none.png")
    return {one.item_id: one for one in (full, small, large)}


def main(state: Path, redis_url: str) -> None:
    """Serve on a free port."""
    # To standard error: nobody reads on from standard output, and a full pipe would stop the server.
    logs.configure("ERROR", "json", service="fake-shop")
    (state / "demo").mkdir(parents=True)
    (state / "demo" / "dataset.toml").write_text(DATASET_TOML, encoding="utf-8")
    settings = Settings(
        state_dir=state,
        prepared_dir=state,
        dataset="demo",
        redis_url=redis_url,
        rate_limits=False,  # all journeys come from one address, and are quicker than people
    )
    services = make_services()
    services.item.items.update(_family(services.item.items["111"]))
    app = create_app(settings, services, "SimpleCache", memory_stores())
    server = FrontEndServer(app, "127.0.0.1", 0)
    server.start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    gevent.spawn(FileObject(sys.stdin, "rb").read).link(lambda _: server.stop(1))
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
