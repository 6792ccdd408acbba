/* See product_programs_bench.h. */
#include "real-implementation/product_programs_bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure.h"

enum { TEXT_SIZE = 512, READY_MS = 60000 };

static void set(const char *name, const char *value)
{
	if (setenv(name, value, 1) != 0)
		bench_fail("the environment is full");
}

static void set_all(const struct product *product)
{
	char text[TEXT_SIZE];
	set("DATABASE_URL", product->postgres.url);
	set("REDIS_URL", product->redis.url);
	set("ADMIN_TOKEN", "bench");
	set("PLACE_KEYS", PRODUCT_BENCH_KEY);
	set("SESSION_KEYS", PRODUCT_BENCH_KEY);
	set("TICKET_KEYS", PRODUCT_BENCH_KEY);
	set("STRIPE_SECRET_KEY", "sk_test_bench");
	set("PROVIDER_KEYS", "sk_test_bench");
	(void)snprintf(text, sizeof text, "http://127.0.0.1:%u", (unsigned)product->simulator_port);
	set("STRIPE_BASE_URL", text);
	set("RETURN_URL", "http://127.0.0.1/");
	(void)snprintf(text, sizeof text, "%u", (unsigned)product->port);
	set("PORT", text);
	set("JOINS_PER_SECOND", "1000000");
	set("JOINS_BURST", "1000000");
	set("SESSIONS_PER_SECOND", "1000000");
	set("SESSIONS_BURST", "1000000");
}

static void start(struct process *process, const char *const arguments[], const char *log)
{
	const struct process_options options = {.arguments = arguments, .error_path = log};
	if (process_start(process, &options) != STATUS_OK ||
		process_wait_line(process, "ready ", READY_MS, NULL, 0) != STATUS_OK)
		bench_fail("%s does not start; %s says why", arguments[0], log);
}

static void stop(struct process *process)
{
	process_signal(process, SIGTERM);
	if (process_wait(process, READY_MS) != STATUS_OK)
		fprintf(stderr, "bench: a server has to be killed\n");
	process_release(process);
}

static void start_simulator(struct product *product)
{
	char port[64], data[TEXT_SIZE], log[TEXT_SIZE];
	(void)snprintf(port, sizeof port, "--port=%u", (unsigned)product->simulator_port);
	(void)snprintf(data, sizeof data, "--data=%s/simulator", product->folder);
	(void)snprintf(log, sizeof log, "%s/simulator.log", product->folder);
	const char *const arguments[] = {PRODUCT_PROVIDER, port, data, NULL};
	start(&product->simulator, arguments, log);
}

void product_open(struct product *product, const char *name)
{
	const char *const migrate[] = {PRODUCT_PROGRAM, "migrate", NULL};
	scratch_open(product->folder);
	product->port = process_free_port();
	product->simulator_port = process_free_port();
	if (postgres_fixture_start(&product->postgres, name) != STATUS_OK ||
		redis_fixture_start(&product->redis, name) != STATUS_OK)
		bench_fail("the services do not start");
	set_all(product);
	start_simulator(product);
	run_program(migrate);
}

void product_close(struct product *product)
{
	stop(&product->simulator);
	redis_fixture_stop(&product->redis);
	postgres_fixture_stop(&product->postgres);
	scratch_close(product->folder);
}

void product_start(struct product *product)
{
	char log[TEXT_SIZE];
	const char *const arguments[] = {PRODUCT_PROGRAM, "serve", NULL};
	(void)snprintf(log, sizeof log, "%s/onsale.log", product->folder);
	start(&product->onsale, arguments, log);
}

void product_stop(struct product *product)
{
	stop(&product->onsale);
}

void product_import(const char *kind, const char *path)
{
	struct process process = {0};
	const char *const arguments[] = {PRODUCT_PROGRAM, "import", kind, path, NULL};
	if (process_start(&process, &(struct process_options){.arguments = arguments}) !=
			STATUS_OK ||
		process_wait(&process, READY_MS) != STATUS_OK || process.exit_code != 0)
		bench_fail("%s cannot be imported", path);
	process_release(&process);
}

void product_call(uint16_t port, const struct product_call *call, struct http_client_reply *reply)
{
	struct http_client client;
	http_client_init(&client, port);
	if (http_client_call(&client, call->method, call->path, call->headers, call->body, reply) !=
			HTTP_CLIENT_OK ||
		(reply->status != 200 && reply->status != 201))
		bench_fail("%s %s: %d %s", call->method, call->path, reply->status,
			reply->body ? reply->body : "");
	http_client_release(&client);
}

void product_get(uint16_t port, const char *path, struct http_client_reply *reply)
{
	product_call(port, &(struct product_call){.method = "GET", .path = path}, reply);
}
