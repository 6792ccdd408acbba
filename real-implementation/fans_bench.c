/* onsale-fans: see fans_bench.h. Here is what they have in common: the event, its sale's beginning,
 * a line of progress each second, and the summary. */
#include "real-implementation/fans_bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/program.h"
#include "lib/base/slice.h"
#include "real-implementation/commands.h"

enum {
	STACK_SIZE = 256 * 1024,
	SECOND_MS = 1000,
	TICK_MS = 100,
	GRACE_MS = 15000,    /* For who has confirmed a payment and waits for its end. */
	SIGNAL_MS = 1500,    /* Likewise, when somebody wants us to end. */
	ATTENTION_MS = 5000, /* Of the watcher's own requests. */
	EVENTS_READ = 200,
	PORT_MAX = 65535,
	OK = 200,
};

static struct {
	const char *base, *event, *journal;
	int64_t fans, seconds_ms, think_min_ms, think_max_ms, seed;
	bool once;
} settings;

static const struct config_setting table[] = {
	{.flag = "base",
		.environment = "BASE",
		.kind = CONFIG_TEXT,
		.value = &settings.base,
		.fallback = "http://127.0.0.1:8080",
		.help = "the server, on this machine: http://127.0.0.1:PORT"},
	{.flag = "event",
		.kind = CONFIG_TEXT,
		.value = &settings.event,
		.help = "which event; else the next to go on sale, or the last that has"},
	{.flag = "fans",
		.kind = CONFIG_INTEGER,
		.value = &settings.fans,
		.fallback = "200",
		.min = 1,
		.max = FANS_MAX,
		.help = "how many there are at a time"},
	{.flag = "seconds",
		.kind = CONFIG_INTEGER,
		.value = &settings.seconds_ms,
		.fallback = "60",
		.min = 1,
		.max = 86400,
		.help = "after so long nobody begins anything new"},
	{.flag = "think-time-min",
		.kind = CONFIG_DURATION,
		.value = &settings.think_min_ms,
		.fallback = "200ms",
		.min = 0,
		.max = 600000,
		.help = "a fan's pause between two things is at least so long"},
	{.flag = "think-time-max",
		.kind = CONFIG_DURATION,
		.value = &settings.think_max_ms,
		.fallback = "3s",
		.min = 0,
		.max = 600000,
		.help = "and at most so long"},
	{.flag = "once",
		.kind = CONFIG_SWITCH,
		.value = &settings.once,
		.fallback = "false",
		.help = "each fan is one person; else another comes when one has ended"},
	{.flag = "seed",
		.kind = CONFIG_INTEGER,
		.value = &settings.seed,
		.fallback = "0",
		.min = 0,
		.max = INT64_MAX,
		.help = "what they decide depends on it; 0: ONSALE_SEED, or one of the kernel's"},
	{.flag = "journal",
		.kind = CONFIG_TEXT,
		.value = &settings.journal,
		.help = "append each fact that the server acknowledged to this file, a JSON line "
			"each"},
};

static struct fans fans;
static struct fan people[FANS_MAX];
static struct http_client watcher;
static int64_t begin_ms;

/* ---- Before ---- */

static bool read_port(const char *base, uint16_t *port)
{
	static const char *const begins[] = {"http://127.0.0.1:", "http://localhost:"};
	struct slice text = slice_of(base);
	int64_t number;
	if (text.size > 0 && text.data[text.size - 1] == '/')
		text.size--;
	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
		size_t size = strlen(begins[i]);
		if (slice_starts_with(text, begins[i]) &&
			slice_to_integer((struct slice){text.data + size, text.size - size}, 1,
				PORT_MAX, &number)) {
			*port = (uint16_t)number;
			return true;
		}
	}
	fprintf(stderr, "onsale-fans: --base must be http://127.0.0.1:PORT\n");
	return false;
}

/* NULL: not answered, or not with 200. */
static json_t *read_json(const char *path)
{
	struct http_client_reply reply = {0};
	json_t *json = NULL;
	if (http_client_call(&watcher, "GET", path, NULL, NULL, &reply) == HTTP_CLIENT_OK &&
		reply.status == OK)
		json = http_client_reply_json(&reply);
	http_client_reply_release(&reply);
	return json;
}

/* Whether the one goes on sale next: upcoming before all others, and then the soonest; else the
 * latest, which is the one whose sale has just begun. Times of one form compare as texts do. */
static bool is_nearer(json_t *one, json_t *other)
{
	const char *status = json_string_value(json_object_get(one, "status"));
	const char *at = json_string_value(json_object_get(one, "onSaleAt"));
	if (!status || !at || (strcmp(status, "upcoming") != 0 && strcmp(status, "on_sale") != 0))
		return false;
	if (!other)
		return true;
	bool is_upcoming = strcmp(status, "upcoming") == 0;
	bool other_is =
		strcmp(json_string_value(json_object_get(other, "status")), "upcoming") == 0;
	int order = strcmp(at, json_string_value(json_object_get(other, "onSaleAt")));
	return is_upcoming != other_is ? is_upcoming : is_upcoming ? order < 0 : order > 0;
}

static bool choose_event(void)
{
	char path[64];
	json_t *event, *nearest = NULL;
	size_t i;
	if (settings.event) {
		(void)snprintf(fans.event, sizeof fans.event, "%s", settings.event);
		return true;
	}
	(void)snprintf(path, sizeof path, "/events?limit=%d", EVENTS_READ);
	json_t *page = read_json(path);
	json_array_foreach(json_object_get(page, "items"), i, event) if (is_nearer(event, nearest))
		nearest = event;
	const char *id = json_string_value(json_object_get(nearest, "eventId"));
	(void)snprintf(fans.event, sizeof fans.event, "%s", id ? id : "");
	json_decref(page);
	if (!id)
		fprintf(stderr, "onsale-fans: %s has no event to go to\n", settings.base);
	return id != NULL;
}

static size_t read_names(json_t *list, char *names[])
{
	json_t *item;
	size_t i, count = 0;
	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		if (name && count < FANS_NAMES_MAX && (names[count] = strdup(name)))
			count++;
	}
	return count;
}

/* Once, and then again and again for the sale's beginning. */
static bool look_at_event(bool first)
{
	char path[FANS_PATH_SIZE];
	(void)snprintf(path, sizeof path, "/events/%s", fans.event);
	json_t *event = read_json(path);
	const char *status = json_string_value(json_object_get(event, "status"));
	bool found = status != NULL;
	if (found)
		atomic_store(&fans.on_sale, strcmp(status, "on_sale") == 0);
	if (found && first) {
		fans.seats_max = json_integer_value(json_object_get(event, "seatsPerHoldMax"));
		fans.section_count = read_names(json_object_get(event, "sections"), fans.sections);
		fans.category_count =
			read_names(json_object_get(event, "categories"), fans.categories);
	}
	json_decref(event);
	return found;
}

static bool open_journal(void)
{
	fans.journal = settings.journal ? fopen(settings.journal, "ae") : NULL;
	if (settings.journal && !fans.journal)
		perror("onsale-fans: --journal");
	return !settings.journal || fans.journal;
}

static bool prepare(void)
{
	http_client_init(&watcher, fans.port);
	watcher.timeout_ms = ATTENTION_MS;
	fans.seed = settings.seed > 0 ? (uint64_t)settings.seed : random_seed();
	fans.think_min_ms = settings.think_min_ms;
	fans.think_max_ms = settings.think_max_ms < settings.think_min_ms ? settings.think_min_ms
									  : settings.think_max_ms;
	fans.once = settings.once;
	pthread_mutex_init(&fans.lock, NULL);
	for (int step = 0; step < FANS_STEPS; step++)
		histogram_init(&fans.times[step]);
	if (!open_journal() || !choose_event())
		return false;
	if (look_at_event(true))
		return true;
	fprintf(stderr, "onsale-fans: %s does not show the event %s\n", settings.base, fans.event);
	return false;
}

/* ---- What is told ---- */

static int64_t of(_Atomic int64_t *number)
{
	return atomic_load(number);
}

static json_t *facts_json(void)
{
	struct fans_facts *f = &fans.facts;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "people",
		of(&f->people), "holds", of(&f->holds), "seatsHeld", of(&f->seats_held), "released",
		of(&f->releases), "orders", of(&f->orders), "confirmed", of(&f->confirmations),
		"declined", of(&f->declined), "cancelRequested", of(&f->canceled), "paid",
		of(&f->paid), "tickets", of(&f->tickets), "unknown", of(&f->unknown));
}

static json_t *named_json(_Atomic int64_t numbers[], const char *const names[], size_t count)
{
	json_t *json = json_object();
	for (size_t i = 0; i < count; i++)
		json_object_set_new(json, names[i], json_integer(of(&numbers[i])));
	return json;
}

static json_t *errors_json(void)
{
	static const char *const names[FANS_ERRORS] = {[FANS_UNREACHABLE] = "unreachable",
		[FANS_BROKEN] = "broken",
		[FANS_BUSY] = "busy",
		[FANS_LIMITED] = "limited",
		[FANS_ANSWER] = "answer"};
	return named_json(fans.errors, names, FANS_ERRORS);
}

static json_t *states_json(void)
{
	static const char *const names[FANS_STATES] = {[FANS_RESTING] = "resting",
		[FANS_EARLY] = "waitingForSale",
		[FANS_CHOOSING] = "choosing",
		[FANS_QUEUED] = "queued",
		[FANS_HOLDING] = "holding",
		[FANS_PAYING] = "paying"};
	return named_json(fans.states, names, FANS_STATES);
}

static json_t *outcomes_json(void)
{
	static const char *const names[FANS_OUTCOMES] = {[FANS_BOUGHT] = "bought",
		[FANS_DECLINED] = "declined",
		[FANS_GAVE_UP] = "gaveUp",
		[FANS_WALKED_OFF] = "walkedOff",
		[FANS_SOLD_OUT] = "soldOut",
		[FANS_LATE] = "late",
		[FANS_CUT_OFF] = "cutOff",
		[FANS_FAILED] = "failed"};
	return named_json(fans.outcomes, names, FANS_OUTCOMES);
}

static json_t *times_json(void)
{
	static const char *const names[FANS_STEPS] = {[FANS_SESSION] = "session",
		[FANS_HOLD] = "hold",
		[FANS_JOIN] = "join",
		[FANS_POLL] = "poll",
		[FANS_RELEASE] = "release",
		[FANS_ORDER] = "order",
		[FANS_CONFIRM] = "confirm",
		[FANS_CANCEL] = "cancel",
		[FANS_READ] = "readOrder",
		[FANS_QUEUE] = "joinToPass",
		[FANS_PAID] = "confirmToTickets"};
	static const double ns_per_ms = 1e6;
	json_t *json = json_object();
	pthread_mutex_lock(&fans.lock);
	for (int step = 0; step < FANS_STEPS; step++) {
		const struct histogram *times = &fans.times[step];
		if (histogram_count(times) > 0)
			json_object_set_new(json, names[step],
				json_pack("{s:I, s:f, s:f, s:f}", "count",
					(json_int_t)histogram_count(times), "p50Ms",
					(double)histogram_percentile_ns(times, 50) / ns_per_ms,
					"p99Ms",
					(double)histogram_percentile_ns(times, 99) / ns_per_ms,
					"maxMs", (double)histogram_max_ns(times) / ns_per_ms));
	}
	pthread_mutex_unlock(&fans.lock);
	return json;
}

static void print(json_t *json)
{
	enum { DIGITS = 6 };
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
	if (text)
		puts(text);
	(void)fflush(stdout);
	free(text);
	json_decref(json);
}

static json_t *standing(const char *kind)
{
	return json_pack("{s:s, s:f, s:s, s:I, s:b, s:o, s:o, s:o}", "kind", kind, "seconds",
		(double)(fans_now_ms() - begin_ms) / SECOND_MS, "eventId", fans.event, "fans",
		(json_int_t)settings.fans, "onSale", (int)atomic_load(&fans.on_sale), "facts",
		facts_json(), "outcomes", outcomes_json(), "errors", errors_json());
}

static void print_progress(void)
{
	json_t *json = standing("progress");
	json_object_set_new(json, "states", states_json());
	print(json);
}

static void print_summary(void)
{
	char seed[24];
	json_t *json = standing("summary");
	/* As text: it may be more than JSON's readers take for a whole number. */
	(void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)fans.seed);
	json_object_set_new(json, "seed", json_string(seed));
	json_object_set_new(json, "times", times_json());
	pthread_mutex_lock(&fans.lock);
	if (fans.first_failure[0] != '\0')
		json_object_set_new(json, "firstFailure", json_string(fans.first_failure));
	pthread_mutex_unlock(&fans.lock);
	print(json);
}

/* ---- Their time ---- */

static size_t start(void)
{
	pthread_attr_t attributes;
	size_t started = 0;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (; started < (size_t)settings.fans; started++) {
		struct fan *fan = &people[started];
		fan->fans = &fans;
		fan->number = started;
		if (pthread_create(&fan->thread, &attributes, fan_run, fan) != 0)
			break;
	}
	pthread_attr_destroy(&attributes);
	return started;
}

/* Takes those that have ended out; how many are left. */
static size_t reap(size_t count)
{
	size_t left = 0;
	for (size_t i = 0; i < count; i++) {
		struct fan *fan = &people[i];
		if (fan->fans && pthread_tryjoin_np(fan->thread, NULL) == 0)
			fan->fans = NULL;
		left += fan->fans != NULL;
	}
	return left;
}

static void end_soon(int64_t grace_ms)
{
	int64_t now_ms = fans_now_ms();
	if (now_ms < atomic_load(&fans.end_ms))
		atomic_store(&fans.end_ms, now_ms);
	if (now_ms + grace_ms < atomic_load(&fans.hard_ms))
		atomic_store(&fans.hard_ms, now_ms + grace_ms);
}

/* True: all have ended. False: one of them waits for an answer that does not come. */
static bool watch(size_t count)
{
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
	int64_t told_ms = begin_ms, looked_ms = 0;
	bool signaled = false;
	while (reap(count) > 0) {
		int64_t now_ms = fans_now_ms();
		if (!signaled && program_is_signaled()) {
			signaled = true;
			end_soon(SIGNAL_MS);
		}
		if (now_ms > atomic_load(&fans.hard_ms) + (signaled ? SIGNAL_MS : 2 * GRACE_MS))
			return false;
		/* Until it begins; afterwards now and then, for it may be moved or canceled. */
		if (!signaled && now_ms - looked_ms >= (of(&fans.facts.holds) > 0 ? 2 : 1) * 250) {
			looked_ms = now_ms;
			(void)look_at_event(false);
		}
		if (now_ms - told_ms >= SECOND_MS) {
			told_ms += SECOND_MS;
			print_progress();
		}
		(void)nanosleep(&tick, NULL);
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct config_program program = {
		.name = "onsale-fans",
		.summary = "Simulated fans: a bounded number of people who queue, hold seats and "
			   "buy, at a server on this machine.",
		.version = ONSALE_VERSION,
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
	};
	int code = program_configure(&program, argc, argv, NULL);
	if (code != PROGRAM_READY)
		return code;
	if (!read_port(settings.base, &fans.port))
		return 2;
	program_hold_signals();
	json_object_seed(0);
	if (!prepare())
		return 1;
	begin_ms = fans_now_ms();
	atomic_store(&fans.end_ms, begin_ms + settings.seconds_ms * SECOND_MS);
	atomic_store(&fans.hard_ms, begin_ms + settings.seconds_ms * SECOND_MS + GRACE_MS);
	size_t count = start();
	if (count < (size_t)settings.fans) {
		fprintf(stderr, "onsale-fans: only %zu threads can be started\n", count);
		end_soon(0);
	}
	bool ended = watch(count);
	print_summary();
	code = count == (size_t)settings.fans && of(&fans.errors[FANS_ANSWER]) == 0 ? 0 : 1;
	if (ended)
		return code;
	/* Whoever still waits must not keep us. */
	_exit(code);
}
