# The HTTP front of seats, holds and purchases, the same for every technology.
onsale_library(onsale_seat_routes SOURCES
	seat_admin.c seat_holds.c seat_lanes.c seat_listing.c seat_purchases.c seat_reads.c seat_reply.c
	seat_routes.c
	LINK onsale_seat_store onsale_checkout onsale_http onsale_batch onsale_payments
		onsale_ticketing PkgConfig::libcrypto)

# What a technology's server.c hands its functions to.
onsale_library(onsale_seat_server SOURCES seat_payments.c seat_server.c LINK onsale_seat_routes)

onsale_test(seat_listing_test LABELS tech-locking-and-transactions
	SOURCES seat_listing_test.c LINK onsale_seat_routes onsale_seat_memory)

# Tests: the routes on seats in memory, with a provider that does what it is told.
onsale_library(onsale_seat_routes_fixture SOURCES seat_routes_fixture.c seat_checkout_fixture.c
	LINK onsale_seat_routes onsale_seat_memory onsale_http_fixture)
foreach(part routes purchases hostile)
	onsale_test(seat_${part}_test LABELS tech-locking-and-transactions SECONDS 300
		SOURCES seat_${part}_test.c LINK onsale_seat_routes_fixture)
endforeach()

# Tests: servers as programs.
onsale_library(onsale_seat_servers_conformance
	SOURCES seat_servers_conformance.c seat_servers_fixture.c
	LINK onsale_testkit PkgConfig::jansson PkgConfig::cmocka Threads::Threads)
