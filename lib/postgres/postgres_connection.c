/* The connection: making it, waiting on it under a deadline, noticing that it has gone. */
#include "lib/postgres/postgres_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"

enum {
	CONNECT_PAUSE_MS = 20,
	CONNECT_PAUSE_MS_MAX = 1000,
	ATTEMPT_MS_MIN = 1000, /* One attempt may take a third of the time for all, or this. */
	/* With fail_fast, after a failed attempt: so many times what it took, within these. */
	QUIET_FACTOR = 9,
	QUIET_MS_MIN = 100,
	QUIET_MS_MAX = 9000,
	TRANSACTION_IDLE_MS_MIN = 60000,
	CLIENT_CHECK_MS = 1000,
	INPUT_ROUNDS_MAX = 64, /* Reads of what an idle connection was sent. */
};

static int64_t now_ms(const struct postgres *pg)
{
	return clock_monotonic_ms(pg->clock);
}

int64_t postgres_deadline(const struct postgres *pg)
{
	return now_ms(pg) + pg->call_ms_max;
}

/* What the URL itself sets for the session, to which ours is added. NULL: it is malformed. The
 * caller frees it. libpq's own words about a malformed URL could repeat the password. */
static char *url_settings(const char *url)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	char *settings = NULL;
	if (options == NULL)
		return NULL;
	for (const PQconninfoOption *option = options; option->keyword && !settings; option++)
		if (strcmp(option->keyword, "options") == 0)
			settings = strdup(option->val != NULL ? option->val : "");
	PQconninfoFree(options);
	return settings;
}

/* The session's settings. They let the server end a statement a little before we lose patience, so
 * that its answer is "cancelled" and not silence; notice within a second that we have gone; and end
 * a transaction whose owner has vanished without a word. What the URL says comes later and wins. */
static char *make_settings(
	const struct postgres *pg, const struct postgres_options *options, int64_t lock_ms_max)
{
	char *settings = NULL;
	char *from_url = url_settings(pg->url);
	if (from_url == NULL)
		return NULL;
	int64_t idle_ms = pg->call_ms_max * 2 > TRANSACTION_IDLE_MS_MIN ? pg->call_ms_max * 2
									: TRANSACTION_IDLE_MS_MIN;
	int size = asprintf(&settings,
		"-c statement_timeout=%" PRId64 " -c lock_timeout=%" PRId64
		" -c idle_in_transaction_session_timeout=%" PRId64
		" -c client_connection_check_interval=%d %s %s",
		pg->call_ms_max * 9 / 10, lock_ms_max, idle_ms, CLIENT_CHECK_MS,
		options->settings != NULL ? options->settings : "", from_url);
	free(from_url);
	return size < 0 ? NULL : settings;
}

static int64_t ms_or_default(int64_t ms, int64_t fallback)
{
	if (ms == 0)
		return fallback;
	assert(ms >= POSTGRES_MS_MIN && ms <= POSTGRES_MS_MAX);
	return ms;
}

struct postgres *postgres_open(const struct postgres_options *options)
{
	assert(options->url != NULL);
	struct postgres *pg = calloc(1, sizeof *pg);
	if (pg == NULL)
		return NULL;
	buffer_init(&pg->bytes, POSTGRES_MESSAGE_SIZE_MAX);
	pg->clock = options->clock != NULL ? options->clock : clock_system();
	pg->connect_ms_max = ms_or_default(options->connect_ms_max, POSTGRES_CONNECT_MS_DEFAULT);
	pg->fail_fast = options->fail_fast;
	pg->attempt_ms_max = ms_or_default(options->attempt_ms_max, POSTGRES_ATTEMPT_MS_DEFAULT);
	pg->call_ms_max = ms_or_default(options->call_ms_max, POSTGRES_CALL_MS_DEFAULT);
	(void)snprintf(pg->tcp_timeout_ms, sizeof pg->tcp_timeout_ms, "%" PRId64, pg->call_ms_max);
	pg->url = strdup(options->url);
	pg->application_name =
		strdup(options->application_name != NULL ? options->application_name : "onsale");
	pg->prepared = calloc(POSTGRES_STATEMENTS_MAX, sizeof *pg->prepared);
	if (pg->url == NULL || pg->application_name == NULL || pg->prepared == NULL) {
		postgres_close(pg);
		return NULL;
	}
	pg->settings = make_settings(
		pg, options, ms_or_default(options->lock_ms_max, pg->call_ms_max / 2));
	return pg;
}

void postgres_close(struct postgres *pg)
{
	if (pg == NULL)
		return;
	postgres_drop(pg);
	buffer_release(&pg->bytes);
	free(pg->prepared);
	free(pg->settings);
	free(pg->application_name);
	free(pg->url);
	free(pg);
}

void postgres_drop(struct postgres *pg)
{
	/* PQfinish sends a farewell, but never waits for a full socket to take it. */
	PQfinish(pg->connection);
	pg->connection = NULL;
	pg->prepared_count = 0;
	pg->doomed = false;
}

/* Wait until one of `events` happens on the socket. False past the deadline. */
static bool wait_socket(const struct postgres *pg, short events, int64_t deadline_ms)
{
	for (;;) {
		int64_t left_ms = deadline_ms - now_ms(pg);
		if (left_ms <= 0)
			return false;
		struct pollfd ready = {.fd = PQsocket(pg->connection), .events = events};
		int count = poll(&ready, 1, (int)left_ms);
		if (count > 0)
			return true;
		/* Anything but a signal comes up again, in libpq's own words. */
		if (count < 0 && errno != EINTR)
			return true;
	}
}

void postgres_pause(
	struct postgres *pg, int attempt, int64_t ms, int64_t ms_max, int64_t deadline_ms)
{
	uint16_t chance;
	for (; attempt > 0 && ms < ms_max; attempt--)
		ms *= 2;
	ms = ms < ms_max ? ms : ms_max;
	random_bytes(&chance, sizeof chance);
	ms = ms / 2 + ms * chance / UINT16_MAX / 2;
	int64_t left_ms = deadline_ms - now_ms(pg);
	ms = ms < left_ms ? ms : left_ms;
	if (ms > 0)
		(void)poll(NULL, 0, (int)ms);
}

/* Server notices go to the debug log. One that ends the connection arrives as a notice when no
 * statement is under way. */
static void on_notice(void *context, const PGresult *notice)
{
	struct postgres *pg = context;
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
	if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		pg->doomed = true;
	log_debug("postgres.notice", LOG_TEXT("severity", severity), LOG_TEXT("message", message));
}

/* libpq does not hand out the SQLSTATE of a failed connection, but in its verbose form the message
 * carries it behind the severity: "FATAL:  28P01: password authentication failed …". Severities may
 * be translated; the punctuation is not. */
static void find_sqlstate(const char *message, char sqlstate[6])
{
	sqlstate[0] = '\0';
	for (const char *at = message; (at = strstr(at, ":  ")) != NULL; at++) {
		const char *code = at + 3;
		if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && code[5] == ':') {
			memcpy(sqlstate, code, 5);
			sqlstate[5] = '\0';
		}
	}
}

/* Whether trying again could not help: the role, its password, the database. */
static bool is_refusal(const char *sqlstate)
{
	struct slice code = slice_of(sqlstate);
	return slice_starts_with(code, "28") || slice_starts_with(code, "3D") ||
		slice_starts_with(code, "42");
}

/* Carry an attempt on until it has succeeded or failed. False past the deadline. */
static bool poll_attempt(struct postgres *pg, int64_t deadline_ms)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	while (next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
		short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (!wait_socket(pg, events, deadline_ms))
			return false;
		next = PQconnectPoll(pg->connection);
	}
	return true;
}

static PGconn *start_attempt(const struct postgres *pg)
{
	/* Behind "dbname", which may hold a whole URL, so that these win over what that says. */
	const char *const keywords[] = {"dbname", "application_name", "options", "client_encoding",
		"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", NULL};
	const char *const values[] = {pg->url, pg->application_name, pg->settings, "UTF8", "1",
		"10", "5", "3", pg->tcp_timeout_ms, NULL};
	_Static_assert(sizeof keywords == sizeof values, "each keyword has its value");
	return PQconnectStartParams(keywords, values, 1);
}

/* One attempt. STATUS_REFUSED if another would not help. */
static enum status attempt(struct postgres *pg, int64_t deadline_ms)
{
	char sqlstate[6] = "";
	pg->connection = start_attempt(pg);
	if (pg->connection == NULL) {
		postgres_error_set(pg, POSTGRES_CONNECTION, "", "out of memory");
		return STATUS_UNAVAILABLE;
	}
	(void)PQsetErrorVerbosity(pg->connection, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(pg->connection, on_notice, pg);
	bool timely = PQstatus(pg->connection) == CONNECTION_BAD || poll_attempt(pg, deadline_ms);
	if (timely && PQstatus(pg->connection) == CONNECTION_OK) {
		(void)PQsetErrorVerbosity(pg->connection, PQERRORS_DEFAULT);
		(void)PQsetnonblocking(pg->connection, 1);
		return STATUS_OK;
	}
	const char *message = timely ? PQerrorMessage(pg->connection) : "no answer in time";
	find_sqlstate(message, sqlstate);
	postgres_error_set(pg, POSTGRES_CONNECTION, sqlstate, "%s", message);
	postgres_drop(pg);
	return is_refusal(sqlstate) ? STATUS_REFUSED : STATUS_UNAVAILABLE;
}

/* How long nobody tries after a failed attempt: several times what it took, so that a server which
 * does not even refuse takes up only a small part of the caller's time. */
static int64_t quiet_ms(int64_t took_ms)
{
	int64_t ms = took_ms * QUIET_FACTOR;
	ms = ms > QUIET_MS_MIN ? ms : QUIET_MS_MIN;
	return ms < QUIET_MS_MAX ? ms : QUIET_MS_MAX;
}

/* For one attempt of who may wait. */
static int64_t patient_ms(const struct postgres *pg)
{
	int64_t ms = pg->connect_ms_max / 3;
	return ms > ATTEMPT_MS_MIN ? ms : ATTEMPT_MS_MIN;
}

/* Attempts with pauses between them, until the deadline. */
static enum status connect_until(struct postgres *pg, int64_t attempt_ms, int64_t deadline_ms)
{
	enum status status = STATUS_UNAVAILABLE;
	if (pg->settings == NULL) {
		postgres_error_set(
			pg, POSTGRES_CONNECTION, "", "the URL is not one that libpq understands");
		return STATUS_REFUSED;
	}
	int64_t start_ms = now_ms(pg);
	if (start_ms < pg->retry_ms) {
		postgres_error_set(pg, POSTGRES_CONNECTION, "", "nobody answered a moment ago");
		return STATUS_UNAVAILABLE;
	}
	for (int count = 0; status == STATUS_UNAVAILABLE && (count == 0 || !pg->fail_fast);
		count++) {
		if (count == 1) /* Told at once; the wait may be long. */
			log_info("postgres.waiting", LOG_TEXT("message", pg->error.message),
				LOG_INTEGER("ms_max", deadline_ms - now_ms(pg)));
		if (count > 0)
			postgres_pause(
				pg, count - 1, CONNECT_PAUSE_MS, CONNECT_PAUSE_MS_MAX, deadline_ms);
		if (count > 0 && now_ms(pg) >= deadline_ms)
			break; /* The error is that of the last attempt. */
		int64_t end_ms = now_ms(pg) + attempt_ms;
		status = attempt(pg, end_ms < deadline_ms ? end_ms : deadline_ms);
	}
	if (status != STATUS_OK && pg->fail_fast)
		pg->retry_ms = now_ms(pg) + quiet_ms(now_ms(pg) - start_ms);
	if (status == STATUS_OK)
		postgres_error_clear(pg);
	else
		log_warning("postgres.unreachable", LOG_TEXT("message", pg->error.message));
	return status;
}

/* Whether an idle connection still seems to have a server at its other end. What a server says
 * before it hangs up, and the hanging up, lie in the socket unread: found here, nothing is lost. */
static bool looks_alive(struct postgres *pg)
{
	for (int round = 0; round < INPUT_ROUNDS_MAX; round++) {
		struct pollfd ready = {.fd = PQsocket(pg->connection), .events = POLLIN};
		if (PQstatus(pg->connection) != CONNECTION_OK || pg->doomed)
			return false;
		if (poll(&ready, 1, 0) == 0)
			return true;
		if (PQconsumeInput(pg->connection) == 0)
			return false;
		(void)PQisBusy(pg->connection); /* Has libpq read the messages. */
	}
	return true;
}

enum status postgres_ready(struct postgres *pg, int64_t deadline_ms)
{
	if (pg->connection != NULL && looks_alive(pg))
		return STATUS_OK;
	if (pg->connection != NULL) {
		postgres_error_set(
			pg, POSTGRES_CONNECTION, "", "the server has closed the connection");
		log_warning("postgres.lost", LOG_TEXT("message", pg->error.message));
		postgres_drop(pg);
	}
	if (pg->state != POSTGRES_STATE_IDLE)
		return STATUS_UNAVAILABLE;
	int64_t connect_ms = now_ms(pg) + pg->connect_ms_max;
	int64_t attempt_ms = pg->fail_fast ? pg->attempt_ms_max : patient_ms(pg);
	enum status status =
		connect_until(pg, attempt_ms, connect_ms < deadline_ms ? connect_ms : deadline_ms);
	return status == STATUS_OK ? STATUS_OK : STATUS_UNAVAILABLE;
}

enum status postgres_connect(struct postgres *pg, struct fault *fault)
{
	if (pg->connection != NULL && looks_alive(pg))
		return STATUS_OK;
	assert(pg->state == POSTGRES_STATE_IDLE);
	postgres_drop(pg);
	enum status status = connect_until(pg, patient_ms(pg), now_ms(pg) + pg->connect_ms_max);
	if (status != STATUS_OK)
		(void)fault_set(fault, "the connection to PostgreSQL", "%s", pg->error.message);
	return status;
}

/* Close a connection whose answer will not come, and say why. */
static PGresult *give_up(struct postgres *pg, const char *why)
{
	postgres_error_set(pg, POSTGRES_CONNECTION, "", "%s", why);
	log_warning("postgres.lost", LOG_TEXT("message", pg->error.message));
	postgres_drop(pg);
	return NULL;
}

/* Wait until libpq can hand out the next result without blocking. False when the connection is lost
 * or, with PQstatus still good, when the deadline has passed. */
static bool wait_result(struct postgres *pg, int64_t deadline_ms)
{
	for (;;) {
		int unsent = PQflush(pg->connection);
		if (unsent == 0 && PQisBusy(pg->connection) == 0)
			return true;
		/* libpq has closed it already; poll would wait for nothing. */
		if (PQsocket(pg->connection) < 0)
			return false;
		if (!wait_socket(pg, unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline_ms))
			return false;
		/* Input that ends may still hold a result, so it is looked at once more. */
		if (PQconsumeInput(pg->connection) == 0 && PQisBusy(pg->connection) != 0)
			return false;
	}
}

/* libpq would hand out the same COPY result for ever. */
static bool is_copy(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Of two results, keep the first that is an error, or else the later one. */
static PGresult *keep(PGresult *kept, PGresult *result)
{
	if (kept != NULL && !postgres_is_success(kept)) {
		PQclear(result);
		return kept;
	}
	PQclear(kept);
	return result;
}

/* The answer does not end. What the server said before it hung up is still worth having. */
static PGresult *cut_short(struct postgres *pg, PGresult *kept)
{
	bool hung_up = PQstatus(pg->connection) != CONNECTION_OK;
	if (hung_up && kept != NULL && !postgres_is_success(kept))
		return kept;
	PQclear(kept);
	return give_up(pg, hung_up ? PQerrorMessage(pg->connection) : "the deadline has passed");
}

static _Atomic uint64_t round_trips;

uint64_t postgres_round_trips(void)
{
	return atomic_load_explicit(&round_trips, memory_order_relaxed);
}

PGresult *postgres_collect(struct postgres *pg, int64_t deadline_ms)
{
	PGresult *kept = NULL;
	atomic_fetch_add_explicit(&round_trips, 1, memory_order_relaxed);
	for (;;) {
		if (!wait_result(pg, deadline_ms))
			return cut_short(pg, kept);
		PGresult *result = PQgetResult(pg->connection);
		if (result == NULL)
			break;
		bool copy = is_copy(result);
		kept = keep(kept, result);
		if (copy) {
			PQclear(kept);
			return give_up(pg, "COPY cannot be run this way");
		}
	}
	return kept != NULL ? kept : give_up(pg, "the server gave no result");
}
