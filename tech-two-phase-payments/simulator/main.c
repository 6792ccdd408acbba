/* The payment provider's simulator. Its README says what it does; core.h how it is built. */
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/log.h"
#include "lib/http/server.h"
#include "lib/http/server_metrics.h"
#include "tech-two-phase-payments/simulator/routes.h"

enum {
	DAY_MS = 24 * 3600000,
	MS_MAX = 2000000000, /* 23 days: an authorization lives 7 with Stripe, 30 at the most. */
};

static struct {
	int64_t port, loops, connections_max, log_form;
	int64_t lifetime_ms, answer_delay_ms, retry_ms_min, retry_ms_max;
	const char *address, *folder, *keys, *admin_token, *api_version, *public_url;
	const char *webhook_url, *webhook_secret;
	bool access_log;
} settings;

static const char *const log_forms[] = {"json", "plain", NULL};

static const struct config_setting table[] = {
	{.flag = "port",
		.environment = "PORT",
		.kind = CONFIG_INTEGER,
		.value = &settings.port,
		.fallback = "8132",
		.max = 65535,
		.help = "TCP port; 0 picks a free one"},
	{.flag = "address",
		.environment = "ADDRESS",
		.kind = CONFIG_TEXT,
		.value = &settings.address,
		.fallback = "127.0.0.1",
		.help = "IPv4 address to listen on"},
	{.flag = "data",
		.environment = "SIMULATOR_DATA",
		.kind = CONFIG_TEXT,
		.value = &settings.folder,
		.required = true,
		.help = "folder of its journal; made when it is missing"},
	{.flag = "provider-keys",
		.environment = "PROVIDER_KEYS",
		.kind = CONFIG_SECRET,
		.value = &settings.keys,
		.required = true,
		.help = "keys that it takes, sk_test_…, with commas between"},
	{.flag = "admin-token",
		.environment = "ADMIN_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.admin_token,
		.required = true,
		.help = "what opens /simulator"},
	{.flag = "public-url",
		.environment = "PUBLIC_URL",
		.kind = CONFIG_TEXT,
		.value = &settings.public_url,
		.help = "where customers reach it; http://ADDRESS:PORT unless given"},
	{.flag = "api-version",
		.environment = "STRIPE_VERSION",
		.kind = CONFIG_TEXT,
		.value = &settings.api_version,
		.fallback = "2024-06-20",
		.help = "the account's Stripe-Version, for requests that name none, and for "
			"events"},
	{.flag = "authorization-lifetime",
		.environment = "AUTHORIZATION_LIFETIME",
		.kind = CONFIG_DURATION,
		.value = &settings.lifetime_ms,
		.fallback = "168h",
		.min = 1,
		.max = MS_MAX,
		.help = "how long an authorization may wait for its capture"},
	{.flag = "answer-delay",
		.environment = "ANSWER_DELAY",
		.kind = CONFIG_DURATION,
		.value = &settings.answer_delay_ms,
		.fallback = "0s",
		.max = DAY_MS,
		.help = "how long each /v1 answer takes"},
	{.flag = "webhook-url",
		.environment = "WEBHOOK_URL",
		.kind = CONFIG_TEXT,
		.value = &settings.webhook_url,
		.help = "where events are sent; without it there are none"},
	{.flag = "webhook-secret",
		.environment = "WEBHOOK_SECRET",
		.kind = CONFIG_SECRET,
		.value = &settings.webhook_secret,
		.help = "what events are signed with, whsec_…"},
	{.flag = "webhook-retry-min",
		.environment = "WEBHOOK_RETRY_MIN",
		.kind = CONFIG_DURATION,
		.value = &settings.retry_ms_min,
		.fallback = "200ms",
		.min = 1,
		.max = 3600000,
		.help = "pause after an event's first failure; it doubles with each"},
	{.flag = "webhook-retry-max",
		.environment = "WEBHOOK_RETRY_MAX",
		.kind = CONFIG_DURATION,
		.value = &settings.retry_ms_max,
		.fallback = "30s",
		.min = 1,
		.max = 3600000,
		.help = "the longest such pause"},
	{.flag = "loops",
		.environment = "LOOPS",
		.kind = CONFIG_INTEGER,
		.value = &settings.loops,
		.fallback = "1",
		.min = 1,
		.max = 64,
		.help = "event loops"},
	{.flag = "connections-max",
		.environment = "CONNECTIONS_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.connections_max,
		.fallback = "10000",
		.min = 1,
		.max = 1000000,
		.help = "client connections; beyond, 503"},
	{.flag = "access-log",
		.environment = "ACCESS_LOG",
		.kind = CONFIG_SWITCH,
		.value = &settings.access_log,
		.fallback = "true",
		.help = "a JSON line per request on standard error"},
	{.flag = "log-form",
		.environment = "LOG_FORM",
		.kind = CONFIG_CHOICE,
		.value = &settings.log_form,
		.fallback = "json",
		.choices = log_forms,
		.help = "form of the log on standard error"},
};

static bool check_settings(struct fault *fault);
static int run(struct metrics *metrics);
static int serve(struct core *core, struct metrics *metrics);
static struct metrics *make_metrics(void);

int main(int argc, char **argv)
{
	static const struct config_program program = {
		.name = "payment-simulator",
		.summary = "Speaks Stripe's PaymentIntents API, and fails on command. No money is "
			   "moved.",
		.version = "1.0",
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
	};
	struct fault fault;
	enum config_outcome outcome = config_parse(&program, argc, argv, NULL, &fault);
	if (outcome == CONFIG_HELP)
		return 0;
	if (outcome == CONFIG_FAULT || !check_settings(&fault)) {
		fprintf(stderr, "%s: %s: %s\n", program.name, fault.where, fault.what);
		return 2;
	}
	log_configure(settings.log_form == 0 ? LOG_JSON : LOG_PLAIN, LOG_INFO);
	/* Before there are threads, so that only sigwait below sees them. */
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	json_object_seed(0);
	struct metrics *metrics = make_metrics();
	int code = metrics && sodium_init() >= 0 ? run(metrics) : 1;
	metrics_free(metrics);
	return code;
}

static bool check_settings(struct fault *fault)
{
	if (!routes_keys_are_good(settings.keys))
		fault_set(fault, "PROVIDER_KEYS", "must be keys that begin with sk_test_");
	else if (settings.webhook_url && !settings.webhook_secret)
		fault_set(fault, "WEBHOOK_SECRET", "is needed with --webhook-url");
	else if (mkdir(settings.folder, 0700) != 0 && access(settings.folder, W_OK) != 0)
		fault_set(fault, "--data", "is no folder that can be written to");
	else
		return true;
	return false;
}

static struct metrics *make_metrics(void)
{
	struct metrics *metrics = metrics_new();
	http_register_metrics(metrics, simulator_routes, simulator_route_count);
	core_register_metrics(metrics);
	if (metrics && metrics_freeze(metrics) == STATUS_OK)
		return metrics;
	metrics_free(metrics);
	return NULL;
}

static int run(struct metrics *metrics)
{
	char path[4096];
	struct fault fault;
	struct core *core;
	if (snprintf(path, sizeof path, "%s/journal", settings.folder) >= (int)sizeof path)
		return 2;
	struct core_options options = {
		.journal_path = path,
		.api_version = settings.api_version,
		.lifetime_ms = settings.lifetime_ms,
		.answer_delay_ms = settings.answer_delay_ms,
		.webhook_url = settings.webhook_url,
		.webhook_secret = settings.webhook_secret,
		.webhook_retry_ms_min = settings.retry_ms_min,
		.webhook_retry_ms_max = settings.retry_ms_max,
		.metrics = metrics,
	};
	if (core_open(&options, &core, &fault) != STATUS_OK) {
		log_error(
			"core.failed", LOG_TEXT("where", fault.where), LOG_TEXT("why", fault.what));
		return 1;
	}
	int code = serve(core, metrics);
	core_close(core);
	return code;
}

static int serve(struct core *core, struct metrics *metrics)
{
	struct routes_context context = {
		.core = core,
		.admin_token = settings.admin_token,
		.keys = settings.keys,
		.api_version = settings.api_version,
	};
	struct http_server_options options = {
		.address = settings.address,
		.port = (uint16_t)settings.port,
		.routes = simulator_routes,
		.route_count = simulator_route_count,
		.context = &context,
		.loop_count = (size_t)settings.loops,
		.worker_count = 1,
		.connections_max = (size_t)settings.connections_max,
		.metrics = metrics,
		.access_log_fd = settings.access_log ? STDERR_FILENO : 0,
	};
	struct http_server *server;
	struct fault fault;
	static char url[64];
	if (http_server_open(&options, &server, &fault) != STATUS_OK) {
		log_error("server.failed", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
		return 1;
	}
	snprintf(url, sizeof url, "http://%s:%u", settings.address,
		(unsigned)http_server_port(server));
	core_set_base_url(core, settings.public_url ? settings.public_url : url);
	printf("ready %s\n", url);
	fflush(stdout);
	sigset_t signals;
	int signal_number;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigwait(&signals, &signal_number);
	log_info("server.stopping", LOG_INTEGER("signal", signal_number));
	core_drain(core);
	http_server_close(server);
	return 0;
}
