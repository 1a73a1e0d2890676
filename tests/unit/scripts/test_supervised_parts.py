"""Which parts run here, with which commands and ports."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from scripts.supervision.parts import Part, parts
from services.settings import SERVICES, Settings

pytestmark = pytest.mark.unit

RELEASE = Path("/releases/shop-20260101T000000Z")


def by_name(settings: Settings, release: Path | None = RELEASE) -> dict[str, Part]:
    return {part.name: part for part in parts(settings, release)}


def test_everything_runs_here_by_default_on_the_original_ports() -> None:
    found = by_name(Settings(_env_file=None))

    ports = {name: part.port for name, part in found.items() if name != "nginx"}
    assert ports == {
        "redis": 6379, "milvus": 19530, "serving": 9393, "user": 8910, "item": 8920, "recall": 8950,
        "rank": 8960, "recommend": 8930, "web1": 5000, "web2": 5001,
    }  # fmt: skip
    assert all(part.command for part in found.values())


def test_the_offset_moves_every_port_and_every_question_about_health() -> None:
    for part in by_name(Settings(_env_file=None, port_offset=1000)).values():
        assert str(part.port) in part.target
        assert part.port in {7379, 20530, 10393, 9910, 9920, 9950, 9960, 9930, 6000, 6001, 6158}


def test_a_part_with_an_address_of_its_own_is_watched_but_not_started() -> None:
    found = by_name(
        Settings(
            _env_file=None,
            redis_url="redis://store:6380/0",
            milvus_uri="https://vectors.example:443",
            rank_predictor="serving://models:9393",
            item_address="items:8920",
        )
    )

    elsewhere = {name: part.target for name, part in found.items() if not part.command}
    assert elsewhere == {
        "redis": "redis://store:6380/0",
        "milvus": "vectors.example:443",
        "serving": "models:9393",
        "item": "items:8920",
    }


def test_paddle_serving_is_left_out_with_onnx_and_before_there_is_a_release() -> None:
    assert "serving" not in by_name(Settings(_env_file=None, rank_predictor="onnx://"))
    assert "serving" not in by_name(Settings(_env_file=None), release=None)


def test_milvus_is_left_out_with_exact_search() -> None:
    assert "milvus" not in by_name(Settings(_env_file=None, index="exact://"))


@pytest.mark.parametrize("setting", ["index", "milvus_uri"])
@pytest.mark.parametrize("url", ["milvus://vectors:19530", "http://vectors:19530"])
def test_milvus_elsewhere_has_a_url_by_either_setting(setting: str, url: str) -> None:
    settings = Settings(_env_file=None, **{setting: url})
    assert settings.milvus() == "http://vectors:19530"
    milvus = by_name(settings)["milvus"]
    assert (milvus.command, milvus.target, milvus.health) == ((), "vectors:19530", "milvus")


def test_the_newer_setting_of_the_index_wins() -> None:
    settings = Settings(_env_file=None, index="exact://", milvus_uri="http://vectors:19530")
    assert (settings.vector_index(), settings.milvus()) == ("exact://", "")


@pytest.mark.parametrize("url", ["exact://here", "milvus://", "redis://host:1", "milvus:19530"])
def test_another_index_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="exact://"):
        Settings(_env_file=None, index=url)


def test_paddle_serving_on_another_loopback_port_is_started_there() -> None:
    serving = by_name(Settings(_env_file=None, rank_predictor="serving://127.0.0.1:9400"))["serving"]

    assert serving.command[-2:] == ("--port", "9400")
    assert f"{RELEASE}/rank_serving" in serving.command


def test_what_binds_every_address_is_asked_on_loopback() -> None:
    assert by_name(Settings(_env_file=None, bind="0.0.0.0"))["user"].target == "127.0.0.1:8910"  # noqa: S104


def test_without_nginx_everything_else_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)

    found = by_name(Settings(_env_file=None))

    assert "nginx" not in found
    assert {"web1", "web2", "recommend"} <= set(found)


def test_together_one_program_runs_the_five_services_and_each_process_can_be_asked(tmp_path: Path) -> None:
    found = by_name(Settings(_env_file=None, topology="together", workers=3, state_dir=tmp_path))

    ours = {name: part for name, part in found.items() if part.tier == 2}
    assert list(ours) == ["together", *SERVICES]
    assert ours["together"].command[-2:] == ("-m", "services")
    assert {part.within for name, part in ours.items() if name != "together"} == {"together"}
    assert not any(part.command for name, part in ours.items() if name != "together")
    assert ours["rank"].sockets == tuple(f"unix:{tmp_path}/rank-{number}.sock" for number in range(3))
    assert ours["rank"].port == 8960
    assert {name for name, part in found.items() if part.tier != 2} >= {"redis", "milvus", "serving", "web1"}


def test_together_refuses_a_service_elsewhere() -> None:
    with pytest.raises(ValidationError, match="leave out ECRS_RANK_ADDRESS"):
        Settings(_env_file=None, topology="together", rank_address="ranker:8960")
