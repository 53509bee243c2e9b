# The Rust parts of Spiral, a target each: `web-api` (what is built when none is named), `worker` and `migrate`.
#
#   docker build --target worker --tag spiral-worker .
#
# The images hold one program and the few system libraries that it is linked with: no shell, no package manager.

# As rust-toolchain.toml says it (`cargo xtask test` compares the two).
ARG RUST_VERSION=1.95.0

FROM rust:${RUST_VERSION}-slim-bookworm AS tools
# GMP, which computes the Fibonacci numbers, is built from its source.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends m4 make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /spiral

# For docker-compose.dev.yml: the sources are mounted, and built anew when one of them changes.
FROM tools AS development
RUN apt-get update \
    && apt-get install --yes --no-install-recommends entr \
    && rm -rf /var/lib/apt/lists/*
ENV CARGO_TARGET_DIR=/target
STOPSIGNAL SIGTERM
ENTRYPOINT ["/spiral/compose/run-on-change"]

FROM tools AS builder
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# Programs say which crates they were built from, so that `ci/sbom` and scanners can tell.
RUN --mount=type=cache,id=spiral-crates,target=/usr/local/cargo/registry,sharing=locked \
    cargo install --quiet --locked --version 0.7.7 --target-dir /tmp/auditable cargo-auditable \
    && rm -rf /tmp/auditable
COPY Cargo.toml Cargo.lock LICENSE ./
# cargo wants every member of the workspace to be there. Those for developers are not built, so empty ones will do.
COPY bench/Cargo.toml bench/
COPY chaos/Cargo.toml chaos/
COPY xtask/Cargo.toml xtask/
RUN mkdir bench/src chaos/src xtask/src \
    && touch bench/src/main.rs chaos/src/main.rs xtask/src/lib.rs xtask/src/main.rs
COPY migrations migrations
COPY jobs jobs
COPY web-api web-api
# What the programs say of themselves.
ARG VERSION=0.1.0
ARG COMMIT=
# How many programs of the compiler run at once; as many as there are processors when it is empty.
ARG BUILD_JOBS=
# Crates and what was compiled stay in the builder between builds, not in an image. The touch is for builders that
# serve several checkouts: cargo takes a source for unchanged when it is older than what was compiled from another one.
RUN --mount=type=cache,id=spiral-crates,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=spiral-target,target=/target,sharing=locked \
    find jobs migrations web-api -name '*.rs' -exec touch {} + \
    && SPIRAL_VERSION="$VERSION" SPIRAL_COMMIT="$COMMIT" \
       cargo auditable build --locked --release --target-dir /target ${BUILD_JOBS:+--jobs "$BUILD_JOBS"} \
           --package web-api --package jobs --package migrations --bins \
    && install -D --target-directory=/programs /target/release/web-api /target/release/worker /target/release/migrate \
    && mkdir -p /image/etc /image/usr/share/doc/spiral /image/usr/share/doc/gmp \
    && ldd /programs/* | grep --only-matching '/[^ :]*\.so[^ :]*' | sort --unique \
       | xargs cp --parents --dereference --target-directory=/image \
    && echo 'spiral:x:10001:10001::/:/usr/sbin/nologin' > /image/etc/passwd \
    && echo 'spiral:x:10001:' > /image/etc/group \
    && cp LICENSE /image/usr/share/doc/spiral/ \
    && cp /usr/local/cargo/registry/src/*/gmp-mpfr-sys-*/gmp-*/COPYING* /image/usr/share/doc/gmp/

FROM scratch AS base
COPY --from=builder /image/ /
USER 10001:10001
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
ARG COMMIT=
LABEL org.opencontainers.image.vendor="Spiral" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"

FROM base AS migrate
LABEL org.opencontainers.image.title="spiral-migrate" \
      org.opencontainers.image.description="Brings the schema of Spiral's database up to date, then ends"
COPY --from=builder /programs/migrate /usr/local/bin/migrate
HEALTHCHECK NONE
ENTRYPOINT ["/usr/local/bin/migrate"]
CMD ["up"]

FROM base AS worker
LABEL org.opencontainers.image.title="spiral-worker" \
      org.opencontainers.image.description="Runs Spiral's jobs; needs Redis and nothing else"
COPY --from=builder /programs/worker /usr/local/bin/worker
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/worker", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/worker"]

FROM base AS web-api
LABEL org.opencontainers.image.title="spiral-web-api" \
      org.opencontainers.image.description="Spiral's HTTP API"
COPY --from=builder /programs/web-api /usr/local/bin/web-api
ENV SPIRAL_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/web-api", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/web-api"]
