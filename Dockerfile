# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
# AVIF comes from the system's library; those for JPEG are built here.
RUN apt-get update \
    && apt-get install -y --no-install-recommends pkg-config libavif-dev g++ cmake make nasm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Dependencies and what is half built stay in the cache mounts between builds; the binary must leave them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin darkroom \
    && install -D target/release/darkroom /out/darkroom \
    && install -d /out/data

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libavif15 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 65532 --home-dir /data --shell /usr/sbin/nologin nonroot
COPY --from=build /out/darkroom /usr/local/bin/darkroom
COPY --from=build --chown=nonroot:nonroot /out/data /data
# Of authorities that the system does not know; often none.
COPY deploy/certs /etc/darkroom/certs
ENV DATA_DIR=/data ENVIRONMENT=production
WORKDIR /data
USER nonroot
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Asks the listener. A worker has none: with ROLE=worker the database is asked instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["darkroom", "healthcheck"]
ENTRYPOINT ["darkroom"]
CMD ["serve"]
