# What servers do together, as programs: two of them, killed and started again, judged from outside.
onsale_library(onsale_waiting_room_servers
	SOURCES servers_conformance.c servers_fixture.c people_fixture.c
	LINK onsale_testkit PkgConfig::cmocka PkgConfig::jansson Threads::Threads)
onsale_test(redis_streams_servers_test LABELS tech-waiting-room/redis-streams redis postgres SECONDS 1800
	SOURCES redis-streams/servers_test.c redis-streams/streams_fixture.c
	LINK onsale_waiting_room_servers onsale_redis_streams)
add_dependencies(redis_streams_servers_test redis-streams-server)
onsale_test(waiting_room_servers_control_test LABELS tech-waiting-room SECONDS 300
	SOURCES memory/servers_test.c LINK onsale_waiting_room_servers)
add_dependencies(waiting_room_servers_control_test waiting-room-memory-server)

# The family's bench, a row for each technology; bench/run.sh runs it. Included once all servers are
# known. The folder of bench/ comes later in the build, and CMake does not mind.
foreach(part crowd_client peer_server)
	string(REGEX REPLACE "_.*" "" name ${part})
	onsale_program(waiting_room_${name} SOURCES ${part}_bench.c LINK onsale_http onsale_testkit)
endforeach()
onsale_program(waiting-room_bench
	SOURCES bench.c waiting_room_bench.c room_bench.c rates_bench.c standing_bench.c
		memory/bench.c redis-streams/bench.c
	LINK onsale_bench onsale_testkit onsale_redis PkgConfig::jansson Threads::Threads)
target_compile_definitions(waiting-room_bench PRIVATE
	WAITING_ROOM_BENCH="${CMAKE_CURRENT_BINARY_DIR}" WAITING_ROOM_SOURCE="${CMAKE_SOURCE_DIR}"
	WAITING_ROOM_MEMORY_SERVER="$<TARGET_FILE:waiting-room-memory-server>"
	REDIS_STREAMS_SERVER="$<TARGET_FILE:redis-streams-server>")
add_dependencies(waiting-room_bench waiting_room_crowd waiting_room_peer
	waiting-room-memory-server redis-streams-server)

# That it works; what it finds in so short a time says nothing.
add_test(NAME waiting_room_bench_test COMMAND waiting-room_bench --rounds=1 --seconds=1
	--connections=100 --admissions=1000 --streams=200 --changes=2 --most=2000)
set_tests_properties(waiting_room_bench_test PROPERTIES
	LABELS "bench;tech-waiting-room;redis;postgres" TIMEOUT 600 RUN_SERIAL ON)
