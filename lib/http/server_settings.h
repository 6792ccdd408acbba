/* The settings that a server has whatever it serves: where it listens, how long it waits, what it
 * logs. A program adds its own:
 *
 *	memcpy(table, http_server_setting_table, …);
 *	table[0].fallback = "8080"; // The port is the first.
 *	…
 *	log_configure(http_server_settings.log_form, …);
 *	struct http_server_options options = http_server_options_of_settings();
 */
#pragma once

#include "lib/base/config.h"
#include "lib/http/server.h"

struct http_server_settings {
	int64_t port, loops, connections_max;
	int64_t head_ms, body_ms, idle_ms, request_ms, keep_alive_ms, stall_ms;
	int64_t log_form, log_level;
	const char *address, *address_from, *tls_certificate, *tls_key;
	bool access_log;
};

/* Set when the table has been read. */
extern struct http_server_settings http_server_settings;

extern const struct config_setting http_server_setting_table[];
extern const size_t http_server_setting_count;

/* Configure the log as the settings say. Before there are threads. */
void http_server_settings_log(void);

/* Options with all that the settings say; routes, workers, metrics and health are the program's. */
struct http_server_options http_server_settings_options(void);
