"""Settings: the only reader of the environment.

Every setting is an environment variable `ECRS_<NAME>`, or a line of the file `.env` in the project's root.
`docs/configuration.md` is generated from this file.
"""

import os
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.network import is_loopback

ROOT = Path(__file__).resolve().parent.parent
ORIGIN = re.compile(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
EXACT = "exact://"
"""The vector index that is none: recall compares with every vector itself."""
MIN_PASSWORD = 12
"""Characters of the console's password."""
MIN_TOKEN = 16
"""Characters of the services' token."""


class Settings(BaseSettings):
    """All settings with their defaults; what is not set embeds everything on this machine's loopback."""

    model_config = SettingsConfigDict(env_prefix="ECRS_", env_file=".env", extra="ignore", frozen=True)

    # Where things are
    state_dir: Path = Field(
        ROOT / "var", description="Logs, sockets and the data of the embedded Redis and Milvus."
    )
    prepared_dir: Path = Field(ROOT / "data" / "prepared", description="Prepared datasets, one folder each.")
    artifacts_dir: Path = Field(ROOT / "models" / "artifacts", description="Releases, one folder each.")
    dataset: str = Field(
        "completejourney", description="The dataset that `make up` prepares, trains and serves."
    )
    train_config: str = Field(
        "quick", description="The training configuration of a first `make up`: quick or full."
    )

    # Network
    bind: str = Field(
        "127.0.0.1",
        description="Address that services, web front ends and Nginx listen on; beyond loopback the services "
        "want ECRS_SERVICE_TOKEN or ECRS_TRUST_NETWORK.",
    )
    service_token: SecretStr = Field(
        SecretStr(""),
        description="Token that the five services ask every caller for (gRPC metadata `authorization: Bearer "
        "…`) and that our clients send, at least 16 characters; empty: none is asked for.",
    )
    trust_network: bool = Field(
        False,
        description="true says that everybody who can reach the services' ports may read and change "
        "everything: services then listen beyond loopback without a token.",
    )
    port_offset: int = Field(
        0, ge=0, le=40_000, description="Added to every default port, to run a second copy."
    )
    redis_url: str = Field(
        "", description="redis://, rediss://; empty: our own Redis on loopback (port 6379)."
    )
    redis_fsync: Literal["everysec", "always"] = Field(
        "everysec",
        description="When our own Redis has the disk confirm writes: everysec (a power cut may cost the last "
        "second; a killed process nothing) or always (milliseconds an event).",
    )
    index: str = Field(
        "",
        description="Vector index: milvus://host:port (http:// is the same, https:// with TLS), or exact://: "
        "exact search in recall itself over the release's vectors, without Milvus, quicker up to some 50,000 "
        "items; empty: our own Milvus Lite (port 19530).",
    )
    milvus_uri: str = Field("", description="The older name of ECRS_INDEX, read while that is empty.")
    milvus_token: SecretStr = Field(
        SecretStr(""), description="Token of the Milvus server, if it asks for one."
    )
    rank_predictor: str = Field(
        "", description="serving://host:port or onnx://; empty: our own PaddleServing (port 9393)."
    )
    user_address: str = Field(
        "", description="host:port of the user service; empty: this machine, port 8910."
    )
    item_address: str = Field(
        "", description="host:port of the item service; empty: this machine, port 8920."
    )
    recommend_address: str = Field("", description="host:port of the recommend service; empty: port 8930.")
    recall_address: str = Field("", description="host:port of the recall service; empty: port 8950.")
    rank_address: str = Field("", description="host:port of the rank service; empty: port 8960.")

    # Behaviour
    deadline_ms: int = Field(300, ge=10, le=10_000, description="Deadline of one recommendation as a whole.")
    topology: Literal["separate", "together"] = Field(
        "separate",
        description="separate: each service in processes of its own, calls over gRPC; together: "
        "ECRS_WORKERS equal processes with all five services each, calls in process.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes of the topology together; 0: as many as cores, 2 at least and 8 at most.",
    )
    processes: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes per service of the topology separate, sharing its port (SO_REUSEPORT).",
    )
    threads: int = Field(4, ge=1, le=64, description="Threads per process of user, item, recall and rank.")
    recommend_threads: int = Field(
        16, ge=1, le=256, description="Threads per process of recommend, which waits."
    )
    kernels: Literal["auto", "numpy"] = Field(
        "auto",
        description="Arithmetic of a request by compiled kernels where numba is installed (auto), or always "
        "by numpy: slower, and 155 MiB less in each process of recall and rank.",
    )
    exact_search_limit: int = Field(
        200_000, ge=0, description="Largest release, in items, that is searched exactly while Milvus is away."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level logged."
    )
    log_format: Literal["console", "json"] = Field("json", description="Form of a log line.")
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Key that signs the shop's cookies; empty: a random one kept in the state folder.",
    )
    console_password: SecretStr = Field(
        SecretStr(""),
        description="Password of the console, asked for off loopback, at least 12 characters; empty: the "
        "console is for loopback only.",
    )

    demo_personas: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether visitors may sign in as the dataset's own shoppers, without a password; auto: "
        "only while ECRS_BIND is loopback.",
    )
    rate_limits: bool = Field(
        True, description="Whether the shop limits how often an address may post; off for load measurements."
    )

    api_token: SecretStr = Field(
        SecretStr(""),
        description="Token that the REST API asks for (Authorization: Bearer …); empty: none is asked for on "
        "loopback, and elsewhere only the documentation and the health of the API answer.",
    )
    api_hosts: str = Field(
        "",
        description="Host names under which the REST API answers beside those of loopback, e.g. "
        "shop.example, with spaces between; *: under any.",
    )
    api_origins: str = Field(
        "",
        description="Sites whose pages may read the REST API (CORS), e.g. https://a.example, with spaces "
        "between; empty: none.",
    )

    image_origins: str = Field(
        "",
        description="Sites that the shop's pages may load pictures of products from, e.g. "
        "https://img.shop.example, with spaces between; pictures from others are not shown. Paths on the "
        "shop's own host need no entry.",
    )

    @field_validator("topology")
    @classmethod
    def _one_place(cls, value: str, info: ValidationInfo) -> str:
        given = [name for name in SERVICES if info.data.get(f"{name}_address")]
        if value == "together" and given:
            raise ValueError(f"together runs every service here: leave out ECRS_{given[0].upper()}_ADDRESS")
        return value

    @field_validator("image_origins")
    @classmethod
    def _image_origins(cls, value: str) -> str:
        for origin in value.split():
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin: write scheme and host only, as https://img.shop.example"
                )
        return value.lower()

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return value

    @field_validator("console_password")
    @classmethod
    def _password_length(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < MIN_PASSWORD:
            raise ValueError(f"must have at least {MIN_PASSWORD} characters, or be empty")
        return value

    @field_validator("service_token")
    @classmethod
    def _token_form(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        fits = len(token) >= MIN_TOKEN and token.isascii() and token.isprintable() and " " not in token
        if token and not fits:
            raise ValueError(f"must have at least {MIN_TOKEN} printable ASCII characters and no space")
        return value

    @field_validator("index", "milvus_uri")
    @classmethod
    def _index_scheme(cls, value: str) -> str:
        if value not in ("", EXACT) and not re.match(r"(milvus|https?)://[^/\s]", value):
            raise ValueError("must be exact:// or milvus://host:port (or http://, https://)")
        return value

    @field_validator("rank_predictor")
    @classmethod
    def _predictor_scheme(cls, value: str) -> str:
        if value and not value.startswith(("serving://", "onnx://")):
            raise ValueError("must be onnx:// or serving://host:port")
        return value

    def port(self, name: str) -> int:
        """The port of a part of the system, offset included; KeyError for an unknown name."""
        return PORTS[name] + self.port_offset

    def address(self, service: str) -> str:
        """host:port of one of the five services."""
        return getattr(self, f"{service}_address") or f"127.0.0.1:{self.port(service)}"

    def worker_processes(self) -> int:
        """Processes of the topology together."""
        # macOS cannot say which cores a process may use
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.workers or min(max(cores, 2), 8)

    def redis(self) -> str:
        """URL of Redis, embedded or not."""
        return self.redis_url or f"redis://127.0.0.1:{self.port('redis')}/0"

    def vector_index(self) -> str:
        """URL of the vector index."""
        return self.index or self.milvus_uri or f"milvus://127.0.0.1:{self.port('milvus')}"

    def milvus(self) -> str:
        """URI of Milvus as its clients take it, embedded or not; empty with exact search."""
        url = self.vector_index()
        return "" if url == EXACT else re.sub(r"^milvus://", "http://", url)

    def exposure_problem(self, bind: str) -> str:
        """Why the services must not listen on `bind`, in one line; empty when they may."""
        if is_loopback(bind) or self.service_token.get_secret_value() or self.trust_network:
            return ""
        return (
            f"listening on {bind} would let everybody who reaches it read and delete users and change items: "
            "set ECRS_SERVICE_TOKEN (openssl rand -hex 32), or ECRS_TRUST_NETWORK=true if they all may"
        )

    def allow_demo_personas(self) -> bool:
        """Whether the dataset's own shoppers may be signed in as."""
        return self.demo_personas == "on" or (self.demo_personas == "auto" and is_loopback(self.bind))

    def predictor(self) -> str:
        """URL of the ranker's predictor."""
        return self.rank_predictor or f"serving://127.0.0.1:{self.port('serving')}"


SERVICES = ("user", "item", "recall", "rank", "recommend")
"""The five services; each asks only those before it."""

PORTS = {
    "user": 8910,
    "item": 8920,
    "recommend": 8930,
    "recall": 8950,
    "rank": 8960,
    "redis": 6379,
    "milvus": 19530,
    "serving": 9393,
    "web1": 5000,
    "web2": 5001,
    "nginx": 5158,
}
"""Default ports. All but `serving` are those of the original system."""
