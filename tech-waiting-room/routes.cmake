# The HTTP front of the waiting room, the same for every technology.

onsale_library(onsale_waiting_room_routes SOURCES
	waiting_room_admin.c waiting_room_calls.c waiting_room_directory.c waiting_room_follow.c
	waiting_room_followers.c waiting_room_gate.c waiting_room_join.c waiting_room_lane.c
	waiting_room_metrics.c waiting_room_pass_calls.c waiting_room_passes.c waiting_room_person.c
	waiting_room_reply.c waiting_room_room_calls.c waiting_room_routes.c waiting_room_turn.c
	LINK onsale_http onsale_ticketing m)

# What a technology's server.c hands a factory to.
onsale_library(onsale_waiting_room_server SOURCES waiting_room_page.c waiting_room_server.c
	LINK onsale_waiting_room_routes)
onsale_embed(onsale_waiting_room_server web web/index.html web/page.css web/page.js)

# Recomputes a finished shuffle from what a server publishes.
onsale_program(verify_shuffle SOURCES verify_shuffle.c
	LINK onsale_http onsale_ticketing PkgConfig::jansson)

# Tests: the routes on rooms in memory.
onsale_library(onsale_waiting_room_routes_fixture SOURCES routes_fixture.c
	LINK onsale_waiting_room_routes onsale_waiting_room_memory onsale_http_fixture)
foreach(part routes routes_attack routes_shared routes_stream)
	onsale_test(waiting_room_${part}_test LABELS tech-waiting-room SECONDS 300
		SOURCES ${part}_test.c LINK onsale_waiting_room_routes_fixture)
endforeach()
onsale_test(waiting_room_gate_test LABELS tech-waiting-room SECONDS 300
	SOURCES waiting_room_gate_test.c LINK onsale_waiting_room_routes_fixture)
foreach(part directory followers)
	onsale_test(waiting_room_${part}_test LABELS tech-waiting-room SECONDS 120
		SOURCES waiting_room_${part}_test.c LINK onsale_waiting_room_routes onsale_testkit)
endforeach()

# A server on rooms in memory: for tests of the program, and as the peer in the benches.
onsale_program(waiting-room-memory-server SOURCES memory/server.c
	LINK onsale_waiting_room_server onsale_waiting_room_memory)
onsale_test(waiting_room_server_test LABELS tech-waiting-room SECONDS 300
	SOURCES waiting_room_server_test.c LINK onsale_testkit PkgConfig::jansson)
add_dependencies(waiting_room_server_test waiting-room-memory-server verify_shuffle)
