/* The server of seats, holds and purchases, the same for every technology: settings, log, HTTP,
 * health, metrics, the event that is on sale, signals. A technology's server.c hands over what it
 * adds:
 *
 *	static struct { const char *url; } settings;
 *	static const struct config_setting table[] = {
 *		{.flag = "database-url", .environment = "DATABASE_URL", … .value = &settings.url}};
 *
 *	static enum status open_store(void *context, struct seat_store **store, struct fault *fault)
 *	{
 *		return postgres_seats_open(
 *			&(struct postgres_seats_options){.url = settings.url}, store, fault);
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct seat_technology technology = {
 *			.name = "postgres-seats-server",
 *			.summary = "Seats, holds and purchases on PostgreSQL.",
 *			.port = "8121",
 *			.service = "postgres",
 *			.opener = {.open_store = open_store, .open_checkout = open_checkout},
 *			.settings = table,
 *			.setting_count = sizeof table / sizeof *table,
 *		};
 *		return seat_serve(&technology, argc, argv);
 *	}
 */
#pragma once

#include "lib/base/config.h"
#include "lib/http/health.h"
#include "tech-locking-and-transactions/seat_routes.h"

enum { SEAT_SERVER_SETTINGS_MAX = 64, SEAT_SERVER_ROUTES_MAX = 32 };

struct seat_technology {
	const char *name;    /* Of the program. */
	const char *summary; /* One sentence, for --help. */
	const char *port;    /* By default. */
	const char *service; /* What /readyz names while the seats get no answer. */
	struct seat_opener opener;
	const struct config_setting *settings; /* Besides those that all have. */
	size_t setting_count;
	const struct config_setting *more_settings; /* Those of seat_payments.h, say; NULL: none. */
	const size_t *more_setting_count;
	/* Further things that /readyz asks after; may be made by `prepare`. */
	const struct http_health_check *checks;
	size_t check_count;
	/* Further resources. Their handlers have the seats' routes as context. */
	const struct http_route *routes;
	size_t route_count;
	/* Open what all instances share, before anything else is opened; its metrics are still to
	 * be added to. May wait for a service until program_is_signaled(). NULL: nothing to do. */
	enum status (*prepare)(struct metrics *metrics, struct fault *fault);
	/* Once the metrics are frozen: begin with what goes on by itself. NULL: nothing to do. */
	enum status (*start)(struct fault *fault);
	/* The server is to end: those whose purchases wait are to be answered soon, before the
	 * lanes that wait with them are stopped. Called after `prepare`, whether that has failed or
	 * not. NULL: nobody waits for long. */
	void (*end_waits)(void);
	/* Close what the two have opened, after all instances. Also when they have failed, or were
	 * not called. NULL: nothing to do. */
	void (*close)(void);
};

/* Everything between main's first line and its last: run until SIGINT or SIGTERM. Prints
 * `ready http://ADDRESS:PORT` when it listens. Returns what main returns. */
int seat_serve(const struct seat_technology *technology, int argc, char **argv);
