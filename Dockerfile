# One image for every Python part of ECRS; docker-compose.yml says which part a container is.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends make libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY Makefile pyproject.toml requirements.lock requirements-serving.txt ./
RUN make env

COPY protos ./protos
COPY models ./models
COPY services ./services
COPY webapp ./webapp
COPY scripts ./scripts
COPY data ./data
COPY nginx ./nginx

RUN useradd --uid 10001 --home-dir /app ecrs \
    && mkdir -p var data/prepared models/artifacts \
    && chown -R ecrs var data/prepared models/artifacts
USER ecrs
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
CMD ["python", "-m", "services.recommend"]
