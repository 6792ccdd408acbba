# The simplest implementation as an image: built by the same scripts as on any Debian 12, then only
# the program and the libraries that it needs. compose.yaml runs it with its database.

FROM debian:bookworm-slim AS build
WORKDIR /onsale
# The packages are a layer of their own, so that a changed source does not install them again.
COPY tools/setup.sh tools/
RUN tools/setup.sh build
COPY . .
RUN tools/build.sh release simplest-server

FROM debian:bookworm-slim
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		ca-certificates curl \
		libjansson4 libmicrohttpd12 libpq5 libsodium23 zlib1g \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin onsale
COPY --from=build /onsale/build/release/simplest-implementation/simplest-server /usr/local/bin/
USER onsale
EXPOSE 8081
STOPSIGNAL SIGTERM
# Whether the process lives. Without its database it lives too, and /readyz says what is missing.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
	CMD curl -fsS -o /dev/null "http://127.0.0.1:${PORT:-8081}/healthz"
# It listens on the container's loopback unless ADDRESS says otherwise, and needs DATABASE_URL.
ENTRYPOINT ["simplest-server"]
