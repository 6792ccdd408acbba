/* A waiting room in the memory of one process, over HTTP: to try the page with, and the peer of the
 * others in the benches. Nothing outlives it. */
#include <stdlib.h>

#include "lib/base/log.h"
#include "tech-waiting-room/memory/memory.h"
#include "tech-waiting-room/waiting_room_server.h"

static struct {
	int64_t people_max;
} settings;

static const struct config_setting table[] = {
	{.flag = "people-max",
		.environment = "PEOPLE_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.people_max,
		.fallback = "1000000",
		.min = 1,
		.max = MEMORY_STORE_PEOPLE_MAX,
		.help = "people per event"},
};

static struct memory_store *store;

static bool prepare(void)
{
	struct memory_store_options options = {
		.clock = clock_system(), .people_max = settings.people_max};
	if (memory_store_new(&options, &store) == STATUS_OK)
		return true;
	log_error("server.failed", LOG_TEXT("why", "there is no memory"));
	return false;
}

static enum status open_room(void *context, struct waiting_room **room, struct fault *fault)
{
	(void)context;
	enum status status = memory_room_open(&(struct memory_room_options){.store = store}, room);
	if (status != STATUS_OK)
		fault_set(fault, "memory", "there is none");
	return status;
}

int main(int argc, char **argv)
{
	static const struct waiting_room_technology technology = {
		.name = "waiting-room-memory-server",
		.summary = "A waiting room in the memory of one process; nothing outlives it.",
		.port = "8100",
		.service = "memory",
		.opener = {.open = open_room},
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
		.prepare = prepare,
	};
	int code = waiting_room_serve(&technology, argc, argv);
	memory_store_free(store);
	return code;
}
