/* See routes.h. */
#include "tech-two-phase-payments/simulator/routes.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/http/bearer.h"
#include "lib/http/fields.h"
#include "lib/http/server_metrics.h"
#include "tech-two-phase-payments/simulator/bank.h"
#include "tech-two-phase-payments/simulator/render.h"

enum {
	BODY_MAX = 1 << 20, /* Beyond what is taken, so that the refusal is Stripe's. */
	ADMIN_BODY_MAX = 16 << 10,
	VERSION_SIZE_MAX = 40,
	CREDENTIALS_SIZE_MAX = 300,
};

static void create(struct http_exchange *exchange);
static void retrieve(struct http_exchange *exchange);
static void confirm(struct http_exchange *exchange);
static void capture(struct http_exchange *exchange);
static void cancel(struct http_exchange *exchange);
static void refund(struct http_exchange *exchange);
static void authenticate(struct http_exchange *exchange);
static void ledger(struct http_exchange *exchange);
static void fault_add(struct http_exchange *exchange);
static void fault_list(struct http_exchange *exchange);
static void fault_remove(struct http_exchange *exchange);
static void healthz(struct http_exchange *exchange);
static void readyz(struct http_exchange *exchange);

#define INTENT "/v1/payment_intents/{id}"

const struct http_route simulator_routes[] = {
	{HTTP_POST, "/v1/payment_intents", HTTP_ON_LOOP, create, BODY_MAX},
	{HTTP_GET, INTENT, HTTP_ON_LOOP, retrieve, 0},
	{HTTP_POST, INTENT "/confirm", HTTP_ON_LOOP, confirm, BODY_MAX},
	{HTTP_POST, INTENT "/capture", HTTP_ON_LOOP, capture, BODY_MAX},
	{HTTP_POST, INTENT "/cancel", HTTP_ON_LOOP, cancel, BODY_MAX},
	{HTTP_POST, "/v1/refunds", HTTP_ON_LOOP, refund, BODY_MAX},
	{HTTP_GET, "/v1/refunds/{id}", HTTP_ON_LOOP, retrieve, 0},
	{HTTP_GET, "/v1/charges/{id}", HTTP_ON_LOOP, retrieve, 0},
	{HTTP_POST, "/simulator/payment_intents/{id}/authentication", HTTP_ON_LOOP, authenticate,
		ADMIN_BODY_MAX},
	{HTTP_GET, "/simulator/payment_intents/{id}/authentication", HTTP_ON_LOOP, bank_reply_page,
		0},
	{HTTP_GET, "/simulator/bank.css", HTTP_ON_LOOP, bank_reply_style, 0},
	{HTTP_GET, "/simulator/bank.js", HTTP_ON_LOOP, bank_reply_script, 0},
	{HTTP_GET, "/simulator/bank.svg", HTTP_ON_LOOP, bank_reply_icon, 0},
	{HTTP_GET, "/simulator/ledger", HTTP_ON_LOOP, ledger, 0},
	{HTTP_POST, "/simulator/faults", HTTP_ON_LOOP, fault_add, ADMIN_BODY_MAX},
	{HTTP_GET, "/simulator/faults", HTTP_ON_LOOP, fault_list, 0},
	{HTTP_DELETE, "/simulator/faults", HTTP_ON_LOOP, fault_remove, 0},
	{HTTP_DELETE, "/simulator/faults/{faultId}", HTTP_ON_LOOP, fault_remove, 0},
	{HTTP_GET, "/healthz", HTTP_ON_LOOP, healthz, 0},
	{HTTP_GET, "/readyz", HTTP_ON_LOOP, readyz, 0},
	{HTTP_GET, "/metrics", HTTP_ON_WORKER, http_reply_metrics, 0},
};
const size_t simulator_route_count = sizeof simulator_routes / sizeof *simulator_routes;

/* ---- Errors that need no state ---- */

static void reply_error(struct http_exchange *exchange, const struct provider_error *error)
{
	struct render_options options = {.base_url = ""};
	struct buffer buffer;
	buffer_init(&buffer, ANSWER_SIZE_MAX);
	render_error(&buffer, error, NULL, &options);
	http_reply_json_text(exchange, error->status, buffer_slice(&buffer));
	buffer_release(&buffer);
}

__attribute__((format(printf, 4, 5))) static bool refuse(
	struct http_exchange *exchange, unsigned status, const char *code, const char *message, ...)
{
	struct provider_error error;
	char text[sizeof error.message];
	va_list arguments;
	va_start(arguments, message);
	vsnprintf(text, sizeof text, message, arguments);
	va_end(arguments);
	provider_refuse(&error, status, code, NULL, "%s", text);
	reply_error(exchange, &error);
	return false;
}

/* ---- Who asks ---- */

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && sodium_memcmp(a.data, b.data, a.size) == 0;
}

static bool is_key(const char *keys, struct slice given)
{
	struct slice rest = slice_of(keys), key;
	bool found = false;
	while (slice_split(&rest, ',', &key))
		found = same(slice_trim(key), given) || found;
	return found && given.size > 0;
}

bool routes_keys_are_good(const char *keys)
{
	struct slice rest = slice_of(keys), key;
	size_t count = 0;
	while (slice_split(&rest, ',', &key)) {
		key = slice_trim(key);
		if (!slice_starts_with(key, "sk_test_") || !slice_is_id(key, 255))
			return false;
		count++;
	}
	return count > 0 && count <= PROVIDER_KEYS_MAX;
}

/* What follows the scheme in the Authorization header; false: it is another scheme, or none. */
static bool credentials(
	const struct http_exchange *exchange, const char *scheme, struct slice *value)
{
	if (!http_header(exchange, "Authorization", value) || !slice_starts_with(*value, scheme))
		return false;
	value->data += strlen(scheme);
	value->size -= strlen(scheme);
	*value = slice_trim(*value);
	return true;
}

/* Stripe takes the key as a bearer token, or as the user of basic authentication. */
static bool check_key(struct http_exchange *exchange)
{
	const struct routes_context *context = http_context(exchange);
	char decoded[CREDENTIALS_SIZE_MAX];
	struct slice given;
	if (credentials(exchange, "Basic ", &given)) {
		size_t size = 0;
		if (sodium_base642bin((unsigned char *)decoded, sizeof decoded, given.data,
			    given.size, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
			size = 0;
		struct slice rest = {.data = decoded, .size = size};
		slice_split(&rest, ':', &given);
	} else if (!credentials(exchange, "Bearer ", &given)) {
		return refuse(exchange, 401, NULL,
			"You did not provide an API key. You need to provide your API key in the "
			"Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
			"YOUR_SECRET_KEY').");
	}
	/* What was given is not repeated: it may be somebody's real key. */
	return is_key(context->keys, given) ||
		refuse(exchange, 401, NULL, "Invalid API Key provided.");
}

static bool check_admin(struct http_exchange *exchange)
{
	const struct routes_context *context = http_context(exchange);
	return http_admin_asks(exchange, slice_of(context->admin_token));
}

/* ---- Stripe's requests ---- */

static struct job *job_new(struct http_exchange *exchange, enum job_kind kind)
{
	struct job *job = arena_calloc(http_arena(exchange), 1, sizeof *job);
	if (!job) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return NULL;
	}
	job->kind = (int)kind;
	job->exchange = exchange;
	return job;
}

static void job_submit(struct job *job)
{
	const struct routes_context *context = http_context(job->exchange);
	http_defer(job->exchange);
	core_submit(context->core, job);
}

/* "2024-06-20" or "2024-09-30.acacia" */
static bool is_version(struct slice text)
{
	int64_t wall_ms;
	char day[sizeof "2024-06-20T00:00:00Z"];
	if (text.size < 10 || text.size > VERSION_SIZE_MAX || !slice_is_id(text, VERSION_SIZE_MAX))
		return false;
	snprintf(day, sizeof day, "%.10sT00:00:00Z", text.data);
	return (text.size == 10 || text.data[10] == '.') &&
		time_parse(slice_of(day), &wall_ms) == STATUS_OK;
}

static bool read_version(struct job *job)
{
	const struct routes_context *context = http_context(job->exchange);
	struct slice version;
	job->version = context->api_version;
	if (!http_header(job->exchange, "Stripe-Version", &version))
		return true;
	if (!is_version(version))
		return refuse(job->exchange, 400, NULL, "Invalid Stripe API version.");
	job->version = arena_copy(http_arena(job->exchange), version);
	return job->version || refuse(job->exchange, 503, NULL, "Memory is short.");
}

static bool read_key(struct job *job)
{
	struct slice key;
	if (!http_header(job->exchange, "Idempotency-Key", &key))
		return true;
	if (key.size == 0 || key.size > KEY_SIZE_MAX || !slice_is_text(key))
		return refuse(job->exchange, 400, NULL, "Idempotency keys have 1 to %d characters.",
			KEY_SIZE_MAX);
	const char *copy = arena_copy(http_arena(job->exchange), key);
	if (!copy)
		return refuse(job->exchange, 503, NULL, "Memory is short.");
	job->key = (struct slice){.data = copy, .size = key.size};
	http_reply_header(job->exchange, "Idempotency-Key", copy);
	return true;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct form_pair *x = a, *y = b;
	size_t size = x->name.size < y->name.size ? x->name.size : y->name.size;
	int order = memcmp(x->name.data, y->name.data, size);
	if (order != 0)
		return order;
	if (x->name.size != y->name.size)
		return x->name.size < y->name.size ? -1 : 1;
	/* Lists stay in their order; the pairs stand in one array before sorting. */
	return x->value.data < y->value.data ? -1 : x->value.data > y->value.data;
}

static void hash_slice(crypto_generichash_state *state, struct slice text)
{
	uint64_t size = text.size;
	crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
	crypto_generichash_update(state, (const unsigned char *)text.data, text.size);
}

/* What a key is compared by: the path and the parameters, in whatever order they came. */
static void take_fingerprint(struct job *job, const struct form *form)
{
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, KEY_FINGERPRINT_SIZE);
	hash_slice(&state, http_path(job->exchange));
	struct form_pair sorted[FORM_PAIRS_MAX];
	memcpy(sorted, form->pairs, form->count * sizeof *sorted);
	qsort(sorted, form->count, sizeof *sorted, compare_pairs);
	for (size_t i = 0; i < form->count; i++) {
		hash_slice(&state, sorted[i].name);
		hash_slice(&state, sorted[i].value);
	}
	crypto_generichash_final(&state, job->fingerprint, KEY_FINGERPRINT_SIZE);
}

static bool read_form(struct http_exchange *exchange, struct form *form)
{
	struct slice body = http_body(exchange), type;
	struct fault fault;
	bool is_form = http_header(exchange, "Content-Type", &type) &&
		slice_starts_with(type, "application/x-www-form-urlencoded");
	if (body.size > 0 && !is_form)
		return refuse(exchange, 400, NULL,
			"Invalid request (check that your POST content type is "
			"application/x-www-form-urlencoded).");
	switch (form_parse(http_arena(exchange), body, form, &fault)) {
	case STATUS_OK:
		return true;
	case STATUS_REFUSED:
		return refuse(exchange, 400, NULL, "Invalid request: the %s %s.", fault.where,
			fault.what);
	default:
		return refuse(exchange, 503, NULL, "Memory is short.");
	}
}

static bool read_parameters(struct job *job, const struct form *form)
{
	struct provider_error error;
	if (parameters_read(job->operation, form, &job->parameters, &error))
		return true;
	reply_error(job->exchange, &error);
	return false;
}

/* The job of one of Stripe's requests; NULL: it was answered already. */
static struct job *provider_job(struct http_exchange *exchange, enum operation operation)
{
	if (!check_key(exchange))
		return NULL;
	struct job *job = job_new(exchange, JOB_PROVIDER);
	if (!job)
		return NULL;
	job->operation = operation;
	object_id_make("req_", job->request_id);
	http_reply_header(exchange, "Request-Id", job->request_id);
	return read_version(job) ? job : NULL;
}

static void post(struct http_exchange *exchange, enum operation operation)
{
	struct job *job = provider_job(exchange, operation);
	struct form *form = job ? arena_calloc(http_arena(exchange), 1, sizeof *form) : NULL;
	if (!form || !read_key(job) || !read_form(exchange, form) || !read_parameters(job, form))
		return;
	if (operation != OPERATION_CREATE && operation != OPERATION_REFUND)
		job->target = http_parameter(exchange, "id");
	take_fingerprint(job, form);
	job_submit(job);
}

static void create(struct http_exchange *exchange)
{
	post(exchange, OPERATION_CREATE);
}

static void confirm(struct http_exchange *exchange)
{
	post(exchange, OPERATION_CONFIRM);
}

static void capture(struct http_exchange *exchange)
{
	post(exchange, OPERATION_CAPTURE);
}

static void cancel(struct http_exchange *exchange)
{
	post(exchange, OPERATION_CANCEL);
}

static void refund(struct http_exchange *exchange)
{
	post(exchange, OPERATION_REFUND);
}

/* A GET's parameters are in its query. */
static void retrieve(struct http_exchange *exchange)
{
	static const char *const names[] = {"expand[]", "expand[0]", "client_secret", NULL};
	struct job *job = provider_job(exchange, OPERATION_RETRIEVE);
	struct form_pair pairs[sizeof names / sizeof *names];
	struct form form = {.pairs = pairs};
	if (!job)
		return;
	if (!http_query_only(exchange, names)) {
		refuse(exchange, 400, "parameter_unknown", "Received unknown parameter.");
		return;
	}
	for (size_t i = 0; names[i]; i++) {
		pairs[form.count].name = slice_of(names[i]);
		if (http_query(exchange, names[i], &pairs[form.count].value))
			form.count++;
	}
	if (!read_parameters(job, &form))
		return;
	job->parameters.form = NULL;
	job->target = http_parameter(exchange, "id");
	job->target_is_refund = slice_starts_with(http_path(exchange), "/v1/refunds/");
	job->target_is_charge = slice_starts_with(http_path(exchange), "/v1/charges/");
	job_submit(job);
}

/* ---- The simulator's own ---- */

/* The customer has no admin token, but the client secret that the shop gave them. */
static void authenticate(struct http_exchange *exchange)
{
	const struct routes_context *context = http_context(exchange);
	struct job *job = job_new(exchange, JOB_AUTHENTICATE);
	struct http_fields fields;
	if (!job)
		return;
	job->is_admin = http_bearer_is(exchange, slice_of(context->admin_token));
	http_fields_begin(&fields, exchange);
	struct slice outcome = http_field_text(&fields, "outcome", 20);
	if (!job->is_admin || http_field_given(&fields, "clientSecret"))
		job->client_secret = http_field_text(&fields, "clientSecret", 100);
	job->outcome = slice_is(outcome, "failed") ? ATTEMPT_DECLINED : ATTEMPT_AUTHORIZED;
	if (outcome.data && job->outcome == ATTEMPT_AUTHORIZED && !slice_is(outcome, "succeeded"))
		http_field_refuse(&fields, "outcome", "must be succeeded or failed");
	if (!http_fields_end(&fields))
		return;
	job->target = http_parameter(exchange, "id");
	job_submit(job);
}

static bool read_number(
	struct http_exchange *exchange, const char *name, int64_t min, int64_t max, int64_t *number)
{
	struct slice text;
	if (!http_query(exchange, name, &text) || slice_to_integer(text, min, max, number))
		return true;
	http_reply_problem(exchange, &http_problem_unprocessable,
		"%s must be an integer from %lld to %lld.", name, (long long)min, (long long)max);
	return false;
}

static void ledger(struct http_exchange *exchange)
{
	static const char *const names[] = {"after", "limit", NULL};
	enum { PAGE_DEFAULT = 1000 };
	struct job *job = check_admin(exchange) ? job_new(exchange, JOB_LEDGER) : NULL;
	if (!job || !http_query_only(exchange, names))
		return;
	job->limit = PAGE_DEFAULT;
	if (read_number(exchange, "after", 0, INT64_MAX, &job->after) &&
		read_number(exchange, "limit", 1, LEDGER_PAGE_MAX, &job->limit))
		job_submit(job);
}

static void fault_add(struct http_exchange *exchange)
{
	struct job *job = check_admin(exchange) ? job_new(exchange, JOB_FAULT_ADD) : NULL;
	json_t *object = job ? http_body_object(exchange) : NULL;
	struct fault fault;
	if (!object)
		return;
	if (fault_rule_read(object, &job->rule, &fault) == STATUS_OK)
		job_submit(job);
	else
		http_reply_problem_with(exchange, &http_problem_unprocessable,
			json_pack("{s:o}", "pointer", json_sprintf("/%s", fault.where)), "%s %s.",
			fault.where, fault.what);
}

static void fault_list(struct http_exchange *exchange)
{
	struct job *job = check_admin(exchange) ? job_new(exchange, JOB_FAULT_LIST) : NULL;
	if (job)
		job_submit(job);
}

static void fault_remove(struct http_exchange *exchange)
{
	struct job *job = check_admin(exchange) ? job_new(exchange, JOB_FAULT_REMOVE) : NULL;
	if (!job)
		return;
	if (strchr(http_route(exchange)->pattern, '{'))
		job->target = http_parameter(exchange, "faultId");
	job_submit(job);
}

static void healthz(struct http_exchange *exchange)
{
	http_reply_json(exchange, 200, json_pack("{s:s}", "status", "ok"));
}

/* It listens only once its journal is replayed. */
static void readyz(struct http_exchange *exchange)
{
	http_reply_json(exchange, 200, json_pack("{s:s}", "status", "ready"));
}
