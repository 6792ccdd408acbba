/* The simulator's own requests: faults, the ledger, and the customer at the bank. */
#include <sodium.h>
#include <stdio.h>

#include "tech-two-phase-payments/simulator/core_internal.h"

static void reply_ledger(struct core *core, struct job *job);
static void reply_faults(struct core *core, struct job *job);
static void add_fault(struct core *core, struct job *job);
static void remove_faults(struct core *core, struct job *job);
static void authenticate(struct core *core, struct job *job);

void execute_admin(struct core *core, struct job *job)
{
	buffer_reset(&core->scratch);
	switch ((enum job_kind)job->kind) {
	case JOB_LEDGER:
		reply_ledger(core, job);
		break;
	case JOB_FAULT_ADD:
		add_fault(core, job);
		break;
	case JOB_FAULT_LIST:
		reply_faults(core, job);
		break;
	case JOB_FAULT_REMOVE:
		remove_faults(core, job);
		break;
	default:
		authenticate(core, job);
	}
	if (core->scratch.capacity > ANSWER_SIZE_MAX)
		buffer_release(&core->scratch);
}

static void reply_ledger(struct core *core, struct job *job)
{
	const struct ledger *ledger = &core->state.ledger;
	struct buffer *buffer = &core->scratch;
	size_t first = (size_t)job->after < ledger->count ? (size_t)job->after : ledger->count;
	size_t end = ledger->count - first > (size_t)job->limit ? first + (size_t)job->limit
								: ledger->count;
	buffer_add_text(buffer, "{\"items\":[");
	for (size_t i = first; i < end; i++) {
		if (i > first)
			buffer_add_text(buffer, ",");
		render_ledger_entry(buffer, &ledger->entries[i], i + 1);
	}
	buffer_add_text(buffer, "]");
	if (end < ledger->count)
		buffer_add_format(buffer, ",\"next\":\"%zu\"", end);
	buffer_add_text(buffer, ",\"totals\":");
	render_ledger_totals(buffer, ledger);
	buffer_add_text(buffer, "}");
	if (buffer->failed)
		http_reply_problem(
			job->exchange, &http_problem_unavailable, "The page is too large.");
	else
		http_reply_json_text(job->exchange, 200, buffer_slice(buffer));
}

static void add_fault(struct core *core, struct job *job)
{
	struct fault fault;
	if (faults_add(&core->faults, &job->rule, core->now_monotonic_ms, &fault) == STATUS_OK)
		http_reply_json(job->exchange, 201, fault_rule_json(&job->rule));
	else
		http_reply_problem(job->exchange, &http_problem_conflict, "%s", fault.what);
}

static void reply_faults(struct core *core, struct job *job)
{
	json_t *items = json_array();
	for (size_t i = 0; i < core->faults.count; i++)
		json_array_append_new(items, fault_rule_json(&core->faults.rules[i]));
	http_reply_json(job->exchange, 200, json_pack("{s:o}", "items", items));
}

static void remove_faults(struct core *core, struct job *job)
{
	int64_t id;
	if (!job->target.data)
		core->faults.count = 0;
	else if (!slice_to_integer(job->target, 1, INT64_MAX, &id) ||
		!faults_remove(&core->faults, id)) {
		http_reply_problem(
			job->exchange, &http_problem_not_found, "There is no such fault.");
		return;
	}
	http_reply_empty(job->exchange, 204);
}

/* Whether the client secret is the intent's, compared in constant time. */
static bool is_secret_of(const struct intent *intent, struct slice secret)
{
	char right[OBJECT_ID_SIZE + sizeof "_secret_" + INTENT_SECRET_SIZE];
	int size = snprintf(right, sizeof right, "%s_secret_%s", intent->id, intent->secret);
	return secret.size == (size_t)size && sodium_memcmp(right, secret.data, secret.size) == 0;
}

static void authenticate(struct core *core, struct job *job)
{
	struct intent *intent = state_find_intent(&core->state, job->target);
	struct provider_error error;
	if (!intent || (!job->is_admin && !is_secret_of(intent, job->client_secret))) {
		http_reply_problem(
			job->exchange, &http_problem_not_found, "There is no such intent.");
		return;
	}
	if (execute_authentication(core, intent, job->outcome, &error) == ATTEMPT_REFUSED) {
		http_reply_problem(job->exchange, &http_problem_conflict, "%s", error.message);
		return;
	}
	struct render_options options = core_rendering(core, false);
	render_intent(&core->scratch, intent, &options);
	http_reply_json_text(job->exchange, 200, buffer_slice(&core->scratch));
}
