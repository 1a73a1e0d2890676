# One image for every Python part of ECRS; docker-compose.yml says which part a container is.
FROM python:3.11.13-slim-bookworm AS build

RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY Makefile pyproject.toml requirements.lock requirements-serving.txt ./
RUN make env

# What runs holds neither the tools nor the caches of the installation.
FROM python:3.11.13-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY --from=build /app/.venv ./.venv
COPY pyproject.toml LICENSE ./
COPY protos ./protos
COPY models ./models
COPY engine ./engine
COPY services ./services
COPY webapp ./webapp
COPY scripts ./scripts
COPY data ./data
COPY nginx ./nginx

# Folders that volumes are mounted on: a new volume takes their owner.
RUN useradd --uid 10001 --home-dir /app --shell /usr/sbin/nologin ecrs \
    && mkdir -p var data/prepared models/artifacts \
    && chown -R ecrs:ecrs var data/prepared models/artifacts
USER 10001:10001
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
CMD ["python", "-m", "services.recommend"]
