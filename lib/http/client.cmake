# The HTTP client, part of onsale_http; included after that library is made. Paths are absolute, so
# that it may be included from elsewhere.
set(client ${CMAKE_CURRENT_LIST_DIR})
target_sources(onsale_http PRIVATE ${client}/client.c ${client}/client_address.c
	${client}/client_attempt.c ${client}/client_check.c ${client}/client_reply.c
	${client}/client_retry.c)
target_link_libraries(onsale_http PUBLIC onsale_base PkgConfig::libcurl Threads::Threads)

onsale_library(onsale_http_client_fixture SOURCES ${client}/client_fixture.c ${client}/client_peer.c
	LINK onsale_http onsale_testkit PkgConfig::cmocka)
foreach(part address cancel check limits normal retry sent tls)
	onsale_test(http_client_${part}_test LABELS lib http SOURCES ${client}/client_${part}_test.c
		LINK onsale_http_client_fixture)
endforeach()
