# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
# The allocator is built with make.
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Dependencies and what is half built stay in the cache mounts between builds; the binary must leave them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin darkroom \
    && install -D target/release/darkroom /out/darkroom \
    && install -d /out/data

# glibc, certificates and a user without rights; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/darkroom /usr/local/bin/darkroom
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV DATA_DIR=/data ENVIRONMENT=production
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Asks the listener. A worker has none: with ROLE=worker the database is asked instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["darkroom", "healthcheck"]
ENTRYPOINT ["darkroom"]
CMD ["serve"]
