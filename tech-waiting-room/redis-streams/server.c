/* A waiting room on Redis Streams, over HTTP. */
#include "tech-waiting-room/redis-streams/redis_streams.h"
#include "tech-waiting-room/waiting_room_server.h"

static struct {
	const char *redis_url, *database_url;
	int64_t call_ms_max, block;
} settings;

static const struct config_setting table[] = {
	{.flag = "redis-url",
		.environment = "REDIS_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.redis_url,
		.required = true,
		.help = "redis://[user:password@]host:port/database; append-only, never evicting"},
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.database_url,
		.help = "PostgreSQL, for the record by which rooms outlive Redis's data; without "
			"it a lost room is lost"},
	{.flag = "call-timeout",
		.environment = "CALL_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.call_ms_max,
		.fallback = "5s",
		.min = 10,
		.max = 60000,
		.help = "for one call to Redis or to PostgreSQL"},
	{.flag = "place-block",
		.environment = "PLACE_BLOCK",
		.kind = CONFIG_INTEGER,
		.value = &settings.block,
		.fallback = "10000",
		.min = 1,
		.max = 1000000,
		.help = "places reserved in the record at once"},
};

static enum status open_room(void *context, struct waiting_room **room, struct fault *fault)
{
	(void)context;
	return redis_streams_open(&(struct redis_streams_options){.redis_url = settings.redis_url,
					  .database_url = settings.database_url,
					  .call_ms_max = settings.call_ms_max,
					  .block = settings.block,
					  .fail_fast = true},
		room, fault);
}

int main(int argc, char **argv)
{
	static const struct waiting_room_technology technology = {
		.name = "redis-streams-server",
		.summary = "A waiting room on Redis Streams.",
		.port = "8101",
		.service = "redis",
		.opener = {.open = open_room},
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
	};
	return waiting_room_serve(&technology, argc, argv);
}
