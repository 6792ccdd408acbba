/* See server_settings.h. */
#include "lib/http/server_settings.h"

#include <unistd.h>

#include "lib/base/log.h"

struct http_server_settings http_server_settings;

static const char *const log_forms[] = {"json", "plain", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

#define TIME(flag_, environment_, member_, fallback_, max_, help_) \
	{ \
		.flag = (flag_), .environment = (environment_), .kind = CONFIG_DURATION, \
		.value = &http_server_settings.member_, .fallback = (fallback_), .min = 100, \
		.max = (max_), .help = (help_) \
	}

const struct config_setting http_server_setting_table[] = {
	{.flag = "port",
		.environment = "PORT",
		.kind = CONFIG_INTEGER,
		.value = &http_server_settings.port,
		.max = 65535,
		.help = "TCP port; 0 picks a free one"},
	{.flag = "address",
		.environment = "ADDRESS",
		.kind = CONFIG_TEXT,
		.value = &http_server_settings.address,
		.fallback = "127.0.0.1",
		.help = "IPv4 address to listen on"},
	{.flag = "address-from",
		.environment = "ADDRESS_FROM",
		.kind = CONFIG_TEXT,
		.value = &http_server_settings.address_from,
		.help = "header whose last item is the client's address; only behind a proxy that "
			"sets it"},
	{.flag = "tls-certificate",
		.environment = "TLS_CERTIFICATE",
		.kind = CONFIG_TEXT,
		.value = &http_server_settings.tls_certificate,
		.help = "PEM file; with tls-key, HTTPS instead of HTTP"},
	{.flag = "tls-key",
		.environment = "TLS_KEY",
		.kind = CONFIG_TEXT,
		.value = &http_server_settings.tls_key,
		.help = "PEM file of the certificate's key"},
	{.flag = "loops",
		.environment = "LOOPS",
		.kind = CONFIG_INTEGER,
		.value = &http_server_settings.loops,
		.fallback = "0",
		.max = 64,
		.help = "event loops; 0: one per core"},
	{.flag = "connections-max",
		.environment = "CONNECTIONS_MAX",
		.kind = CONFIG_INTEGER,
		.value = &http_server_settings.connections_max,
		.fallback = "0",
		.max = 1000000,
		.help = "client connections; beyond, 503; 0: 10,000, or what descriptors allow"},
	TIME("head-timeout", "HEAD_TIMEOUT", head_ms, "10s", 600000,
		"for a request's headers, as a whole"),
	TIME("body-timeout", "BODY_TIMEOUT", body_ms, "30s", 600000,
		"for a request's body, as a whole"),
	TIME("idle-timeout", "IDLE_TIMEOUT", idle_ms, "75s", 3600000,
		"for a connection between two requests"),
	TIME("request-timeout", "REQUEST_TIMEOUT", request_ms, "10s", 600000,
		"a request that waits longer for its turn gets 503"),
	TIME("stream-keep-alive", "STREAM_KEEP_ALIVE", keep_alive_ms, "15s", 3600000,
		"how often a silent stream gets a comment"),
	TIME("stream-stall", "STREAM_STALL", stall_ms, "10s", 3600000,
		"a stream whose reader takes nothing for so long is dropped"),
	{.flag = "access-log",
		.environment = "ACCESS_LOG",
		.kind = CONFIG_SWITCH,
		.value = &http_server_settings.access_log,
		.fallback = "true",
		.help = "a JSON line per request on standard error"},
	{.flag = "log-form",
		.environment = "LOG_FORM",
		.kind = CONFIG_CHOICE,
		.value = &http_server_settings.log_form,
		.fallback = "json",
		.choices = log_forms,
		.help = "form of the log on standard error"},
	{.flag = "log-level",
		.environment = "LOG_LEVEL",
		.kind = CONFIG_CHOICE,
		.value = &http_server_settings.log_level,
		.fallback = "info",
		.choices = log_levels,
		.help = "least level that is logged"},
};
const size_t http_server_setting_count =
	sizeof http_server_setting_table / sizeof *http_server_setting_table;

void http_server_settings_log(void)
{
	log_configure(http_server_settings.log_form == 0 ? LOG_JSON : LOG_PLAIN,
		(enum log_level)http_server_settings.log_level);
}

struct http_server_options http_server_settings_options(void)
{
	const struct http_server_settings *settings = &http_server_settings;
	return (struct http_server_options){
		.address = settings->address,
		.port = (uint16_t)settings->port,
		.loop_count = (size_t)settings->loops,
		.connections_max = (size_t)settings->connections_max,
		.head_ms_max = settings->head_ms,
		.body_ms_max = settings->body_ms,
		.idle_ms_max = settings->idle_ms,
		.request_ms_max = settings->request_ms,
		.stream_keep_alive_ms = settings->keep_alive_ms,
		.stream_stall_ms_max = settings->stall_ms,
		.tls_certificate = settings->tls_certificate,
		.tls_key = settings->tls_key,
		.access_log_fd = settings->access_log ? STDERR_FILENO : 0,
	};
}
