# The servers as images, one target for each: all built by the same scripts as on any Debian 12,
# then only the program and the libraries that it needs. compose.yaml runs them with their services.

FROM debian:bookworm-slim AS build
WORKDIR /onsale
# The packages are a layer of their own, so that a changed source does not install them again.
COPY tools/setup.sh tools/
RUN tools/setup.sh build
COPY . .
RUN tools/build.sh release onsale simplest-server redis-streams-server postgres-seats-server \
	saga-seats-server redis-guard-server orders-server payment-simulator

# What all of them have. Their own stages say that they run as onsale, since some install more.
FROM debian:bookworm-slim AS server
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		ca-certificates curl \
		libjansson4 libmicrohttpd12 libsodium23 zlib1g \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin onsale
STOPSIGNAL SIGTERM
# Whether the process lives. Without its database it lives too, and /readyz says what is missing.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
	CMD curl -fsS -o /dev/null "http://127.0.0.1:${PORT}/healthz"
# All listen on the container's loopback unless ADDRESS says otherwise.

# It needs DATABASE_URL, REDIS_URL, ADMIN_TOKEN, PLACE_KEYS, SESSION_KEYS, TICKET_KEYS and
# STRIPE_SECRET_KEY, and calls Stripe unless STRIPE_BASE_URL says otherwise.
FROM server AS onsale
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		libhiredis0.14 libpq5 libqrencode4 libssl3 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale/build/release/real-implementation/onsale /usr/local/bin/
ENV PORT=8080
EXPOSE 8080
USER onsale
ENTRYPOINT ["onsale"]
CMD ["serve"]

# It needs DATABASE_URL.
FROM server AS simplest
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libpq5 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale/build/release/simplest-implementation/simplest-server /usr/local/bin/
ENV PORT=8081
EXPOSE 8081
USER onsale
ENTRYPOINT ["simplest-server"]

# It needs REDIS_URL, ADMIN_TOKEN and PLACE_KEYS, and DATABASE_URL to outlive Redis's data.
FROM server AS waiting-room-redis-streams
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		libhiredis0.14 libpq5 libssl3 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale/build/release/tech-waiting-room/redis-streams/redis-streams-server \
	/usr/local/bin/
ENV PORT=8101
EXPOSE 8101
USER onsale
ENTRYPOINT ["redis-streams-server"]

# It needs DATABASE_URL, ADMIN_TOKEN and STRIPE_SECRET_KEY, and calls Stripe unless STRIPE_BASE_URL
# says otherwise. The hall of 5,000 seats that is on sale is in the image.
FROM server AS seats-postgres
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		libpq5 libssl3 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale/demo/venues/concert-hall.json /usr/local/share/onsale/
COPY --from=build /onsale/build/release/tech-locking-and-transactions/postgres/postgres-seats-server \
	/usr/local/bin/
ENV PORT=8121 PLAN=/usr/local/share/onsale/concert-hall.json
EXPOSE 8121
USER onsale
ENTRYPOINT ["postgres-seats-server"]

# As the last; ORDERS_URL is the database of orders and tickets, DATABASE_URL that of the seats.
FROM server AS seats-saga
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		libpq5 libssl3 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale/demo/venues/concert-hall.json /usr/local/share/onsale/
COPY --from=build /onsale/build/release/tech-locking-and-transactions/saga/saga-seats-server \
	/usr/local/bin/
ENV PORT=8124 PLAN=/usr/local/share/onsale/concert-hall.json
EXPOSE 8124
USER onsale
ENTRYPOINT ["saga-seats-server"]

# As seats-postgres, and it needs REDIS_URL.
FROM server AS seats-redis-guard
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		libhiredis0.14 libpq5 libssl3 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale/demo/venues/concert-hall.json /usr/local/share/onsale/
COPY --from=build /onsale/build/release/tech-locking-and-transactions/redis-guard/redis-guard-server \
	/usr/local/bin/
ENV PORT=8126 PLAN=/usr/local/share/onsale/concert-hall.json
EXPOSE 8126
USER onsale
ENTRYPOINT ["redis-guard-server"]

# It needs DATABASE_URL, ADMIN_TOKEN and STRIPE_SECRET_KEY, and calls Stripe unless STRIPE_BASE_URL
# says otherwise.
FROM server AS orders
RUN apt-get update \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libpq5 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /onsale/build/release/tech-two-phase-payments/orders-server /usr/local/bin/
ENV PORT=8131
EXPOSE 8131
USER onsale
ENTRYPOINT ["orders-server"]

# It needs ADMIN_TOKEN and PROVIDER_KEYS. Its journal is to be on a volume, which begins as this
# folder and so belongs to the same user.
FROM server AS payment-simulator
RUN install -d -o onsale -g onsale -m 700 /var/lib/onsale
COPY --from=build /onsale/build/release/tech-two-phase-payments/simulator/payment-simulator \
	/usr/local/bin/
ENV PORT=8132 SIMULATOR_DATA=/var/lib/onsale
EXPOSE 8132
USER onsale
ENTRYPOINT ["payment-simulator"]
