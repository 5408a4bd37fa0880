# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY . .
# The caches outlive a build; the binary has to be copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin vmacd && install -s target/release/vmacd /usr/local/bin/vmacd

FROM debian:bookworm-slim
# Certificates for amqps:// and TLS to PostgreSQL.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
 && install -d -o nobody -g nogroup /data /inventory
COPY --from=build /usr/local/bin/vmacd /usr/local/bin/vmacd
# nobody, by number: Kubernetes cannot tell from a name that it is not root. Nothing of the image has to be writable; the
# embedded default (sqlite://vmacd.db) lands in the volume /data.
USER 65534:65534
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["vmacd"]
CMD ["serve"]
