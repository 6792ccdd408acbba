/* The server of a waiting room, the same for every technology: settings, log, HTTP, health,
 * metrics, page, signals. A technology's server.c hands over what it adds:
 *
 *	static struct { const char *url; } settings;
 *	static const struct config_setting table[] = {
 *		{.flag = "redis-url", .environment = "REDIS_URL", … .value = &settings.url}};
 *
 *	static enum status open(void *context, struct waiting_room **room, struct fault *fault)
 *	{
 *		return redis_streams_open(
 *			&(struct redis_streams_options){.redis_url = settings.url}, room, fault);
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct waiting_room_technology technology = {
 *			.name = "redis-streams-server",
 *			.summary = "A waiting room on Redis Streams.",
 *			.port = "8101",
 *			.service = "redis",
 *			.opener = {.open = open},
 *			.settings = table,
 *			.setting_count = sizeof table / sizeof *table,
 *		};
 *		return waiting_room_serve(&technology, argc, argv);
 *	}
 */
#pragma once

#include "lib/base/config.h"
#include "lib/http/health.h"
#include "tech-waiting-room/waiting_room_routes.h"

enum { WAITING_ROOM_SERVER_SETTINGS_MAX = 48 };

struct waiting_room_technology {
	const char *name;                  /* Of the program. */
	const char *summary;               /* One sentence, for --help. */
	const char *port;                  /* By default. */
	const char *service;               /* What /readyz names while the rooms get no answer. */
	struct waiting_room_opener opener; /* Called once the settings are read. */
	const struct config_setting *settings; /* Besides those that all have. */
	size_t setting_count;
	/* Further things that /readyz asks after. Made with the settings read, by `prepare`. */
	const struct http_health_check *checks;
	size_t check_count;
	/* Called when the settings are read and before anything else; NULL: nothing to do. Returns
	 * false to end the program with code 1, having said why in the log. */
	bool (*prepare)(void);
};

/* Everything between main's first line and its last: run until SIGINT or SIGTERM. Prints
 * `ready http://ADDRESS:PORT` when it listens. Returns what main returns. */
int waiting_room_serve(const struct waiting_room_technology *technology, int argc, char **argv);
