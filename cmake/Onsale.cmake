# What every target of the house shares: the language, the warnings, the one include directory,
# and four functions: onsale_library, onsale_program, onsale_test, onsale_embed.

include_guard(GLOBAL)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(onsale_flags INTERFACE)
target_include_directories(onsale_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(onsale_flags INTERFACE _GNU_SOURCE)
# Asserts state what would be a bug, and stay in release builds; so NDEBUG is never defined.
target_compile_options(onsale_flags INTERFACE
	-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
	-fno-omit-frame-pointer -UNDEBUG)

foreach(package libmicrohttpd jansson libpq hiredis libsodium libcurl libcrypto zlib libqrencode
		cmocka)
	pkg_check_modules(${package} REQUIRED IMPORTED_TARGET ${package})
endforeach()

# onsale_library(NAME SOURCES … LINK …): a static library of the house.
function(onsale_library name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
	add_library(${name} STATIC ${arg_SOURCES})
	target_link_libraries(${name} PUBLIC onsale_flags ${arg_LINK})
endfunction()

# onsale_program(NAME SOURCES … LINK …): a program, built at the top of its folder's build tree.
function(onsale_program name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
	add_executable(${name} ${arg_SOURCES})
	target_link_libraries(${name} PRIVATE onsale_flags ${arg_LINK})
endfunction()

# onsale_test(NAME SOURCES … LINK … LABELS … ARGUMENTS … SECONDS n): a cmocka program and its CTest
# entry. The labels name the subproject and each service that the test starts.
function(onsale_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "SECONDS" "SOURCES;LINK;LABELS;ARGUMENTS")
	if(NOT arg_SECONDS)
		set(arg_SECONDS 300) # For what hangs; a sanitizer on a busy machine takes its time.
	endif()
	onsale_program(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK} PkgConfig::cmocka)
	add_test(NAME ${name} COMMAND ${name} ${arg_ARGUMENTS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
	# The longest begin first, so that none is left over at the end.
	set_tests_properties(${name} PROPERTIES
		LABELS "${arg_LABELS}" TIMEOUT ${arg_SECONDS} COST ${arg_SECONDS})
	set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
		"ONSALE_BUILD=${CMAKE_BINARY_DIR}" "ONSALE_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()

# onsale_embed(TARGET PREFIX FILE…): each file becomes a header beside it in the build tree.
# x.sql gives one `static const char` array per `-- name: y` section, named PREFIX_y;
# x.lua gives one, PREFIX_x; any other file gives PREFIX_<file name> and PREFIX_<file name>_size.
function(onsale_embed target prefix)
	foreach(file IN LISTS ARGN)
		set(input ${CMAKE_CURRENT_SOURCE_DIR}/${file})
		cmake_path(RELATIVE_PATH input BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE relative)
		set(output ${CMAKE_BINARY_DIR}/embedded/${relative}.h)
		cmake_path(GET output PARENT_PATH folder)
		file(MAKE_DIRECTORY ${folder})
		get_property(known GLOBAL PROPERTY onsale_embedded)
		if(NOT output IN_LIST known)
			add_custom_command(OUTPUT ${output} COMMAND embed ${prefix} ${input} ${output}
				DEPENDS embed ${input} VERBATIM)
			set_property(GLOBAL APPEND PROPERTY onsale_embedded ${output})
		endif()
		target_sources(${target} PRIVATE ${output})
	endforeach()
	target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/embedded)
endfunction()
