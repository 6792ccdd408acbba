/* See faults.h. */
#include "tech-two-phase-payments/simulator/faults.h"

#include <stdio.h>

const char *const fault_kind_names[FAULT_KIND_COUNT] = {
	[FAULT_ANSWER_LOST] = "answer_lost",
	[FAULT_TIMEOUT] = "timeout",
	[FAULT_ERROR_500] = "error_500",
	[FAULT_ERROR_500_STORED] = "error_500_stored",
	[FAULT_RATE_LIMITED] = "rate_limited",
	[FAULT_SLOW] = "slow",
	[FAULT_GONE] = "gone",
	[FAULT_WEBHOOK_TWICE] = "webhook_twice",
	[FAULT_WEBHOOK_FIRST] = "webhook_first",
	[FAULT_WEBHOOK_OUT_OF_ORDER] = "webhook_out_of_order",
};

/* -1: it has to be said. */
static const int64_t default_ms[FAULT_KIND_COUNT] = {
	[FAULT_TIMEOUT] = 30000,
	[FAULT_SLOW] = -1,
	[FAULT_GONE] = -1,
	[FAULT_WEBHOOK_FIRST] = 5000,
	[FAULT_WEBHOOK_OUT_OF_ORDER] = 500,
};

static bool is_of_events(enum fault_kind kind)
{
	return kind >= FAULT_WEBHOOK_TWICE;
}

/* ---- As JSON ---- */

static enum status read_integer(const json_t *object, const char *name, int64_t fallback,
	int64_t max, int64_t *value, struct fault *fault)
{
	const json_t *member = json_object_get(object, name);
	*value = member ? json_integer_value(member) : fallback;
	if (member && (!json_is_integer(member) || *value < 0 || *value > max))
		return fault_set(fault, name, "must be an integer from 0 to %lld", (long long)max);
	if (*value < 0)
		return fault_set(fault, name, "must be given");
	return STATUS_OK;
}

/* The number of a name; `count` where it is none of them. */
static int name_number(const json_t *member, const char *const names[], int count)
{
	const char *name = json_string_value(member);
	int number = 0;
	while (number < count && !(name && strcmp(names[number], name) == 0))
		number++;
	return number;
}

static enum status check_members(const json_t *object, struct fault *fault)
{
	static const char *const known[] = {
		"fault", "operation", "after", "count", "rate", "seed", "ms", "applied"};
	enum { COUNT = sizeof known / sizeof *known };
	const char *name;
	json_t *member;
	json_object_foreach((json_t *)(uintptr_t)object, name, member)
	{
		size_t i = 0;
		while (i < COUNT && strcmp(known[i], name) != 0)
			i++;
		if (i == COUNT)
			return fault_set(fault, name, "is not known");
	}
	return STATUS_OK;
}

static enum status read_choices(const json_t *object, struct fault_rule *rule, struct fault *fault)
{
	const json_t *kind = json_object_get(object, "fault");
	const json_t *operation = json_object_get(object, "operation");
	const json_t *rate = json_object_get(object, "rate");
	const json_t *applied = json_object_get(object, "applied");
	rule->kind = (enum fault_kind)name_number(kind, fault_kind_names, FAULT_KIND_COUNT);
	if (rule->kind == FAULT_KIND_COUNT)
		return fault_set(fault, "fault", "must be one of the faults in the README");
	rule->operation = (enum operation)name_number(operation, operation_names, OPERATION_COUNT);
	if (operation && rule->operation == OPERATION_COUNT)
		return fault_set(fault, "operation",
			"must be create, confirm, capture, cancel, refund or retrieve");
	rule->rate = rate ? json_number_value(rate) : 1;
	if (rate && (!json_is_number(rate) || !(rule->rate >= 0 && rule->rate <= 1)))
		return fault_set(fault, "rate", "must be a number from 0 to 1");
	rule->applied = json_is_true(applied);
	if (applied && !json_is_boolean(applied))
		return fault_set(fault, "applied", "must be true or false");
	return STATUS_OK;
}

enum status fault_rule_read(const json_t *object, struct fault_rule *rule, struct fault *fault)
{
	*rule = (struct fault_rule){0};
	enum status status = check_members(object, fault);
	if (status == STATUS_OK)
		status = read_choices(object, rule, fault);
	if (status != STATUS_OK)
		return status;
	int64_t count = json_object_get(object, "rate") || rule->kind == FAULT_GONE ? 0 : 1;
	status = read_integer(object, "after", 0, INT64_MAX, &rule->after, fault);
	if (status == STATUS_OK)
		status = read_integer(object, "count", count, INT64_MAX, &rule->count, fault);
	if (status == STATUS_OK)
		status = read_integer(object, "seed", 0, INT64_MAX, &rule->seed, fault);
	if (status == STATUS_OK)
		status = read_integer(
			object, "ms", default_ms[rule->kind], FAULT_MS_MAX, &rule->ms, fault);
	return status;
}

json_t *fault_rule_json(const struct fault_rule *rule)
{
	char id[24];
	snprintf(id, sizeof id, "%lld", (long long)rule->id);
	json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:f, s:I, s:I, s:b, s:I, s:I}", "faultId",
		id, "fault", fault_kind_names[rule->kind], "after", (json_int_t)rule->after,
		"count", (json_int_t)rule->count, "rate", rule->rate, "seed",
		(json_int_t)rule->seed, "ms", (json_int_t)rule->ms, "applied", rule->applied,
		"matched", (json_int_t)rule->matched, "fired", (json_int_t)rule->fired);
	if (rule->operation != OPERATION_COUNT)
		json_object_set_new(
			json, "operation", json_string(operation_names[rule->operation]));
	return json;
}

/* ---- The rules ---- */

enum status faults_add(
	struct faults *faults, struct fault_rule *rule, int64_t now_ms, struct fault *fault)
{
	if (faults->count == FAULTS_MAX)
		return fault_set(fault, "fault", "there are %d faults already", FAULTS_MAX);
	rule->id = ++faults->last_id;
	rule->until_ms = now_ms + rule->ms;
	faults->rules[faults->count++] = *rule;
	return STATUS_OK;
}

bool faults_remove(struct faults *faults, int64_t id)
{
	for (size_t i = 0; i < faults->count; i++) {
		if (faults->rules[i].id != id)
			continue;
		/* Their order decides which of two faults wins. */
		memmove(&faults->rules[i], &faults->rules[i + 1],
			(faults->count - i - 1) * sizeof faults->rules[0]);
		faults->count--;
		return true;
	}
	return false;
}

/* splitmix64 (Sebastiano Vigna, https://prng.di.unimi.it/splitmix64.c, public domain) of the seed's
 * n-th number, as a real number below 1. */
bool fault_chance(int64_t seed, int64_t number, double rate)
{
	uint64_t x = (uint64_t)seed * 0xd1342543de82ef95 + (uint64_t)number * 0x9e3779b97f4a7c15 +
		0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	x ^= x >> 31;
	return (double)(x >> 11) * 0x1p-53 < rate;
}

/* Count a matching request; whether it is hit. */
static bool fires(struct fault_rule *rule)
{
	int64_t number = rule->matched++;
	if (number < rule->after || (rule->count > 0 && rule->fired >= rule->count) ||
		!fault_chance(rule->seed, number, rule->rate))
		return false;
	rule->fired++;
	return true;
}

static bool concerns(const struct fault_rule *rule, enum operation operation)
{
	return rule->operation == OPERATION_COUNT || rule->operation == operation;
}

struct request_faults faults_of_request(
	struct faults *faults, enum operation operation, int64_t now_ms)
{
	struct request_faults result = {.kind = FAULT_KIND_COUNT};
	for (size_t i = 0; i < faults->count; i++) {
		struct fault_rule *rule = &faults->rules[i];
		bool over = rule->kind == FAULT_GONE && rule->until_ms <= now_ms;
		if (is_of_events(rule->kind) || over || !concerns(rule, operation) || !fires(rule))
			continue;
		if (rule->kind != FAULT_GONE && rule->ms > result.delay_ms)
			result.delay_ms = rule->ms;
		if (rule->kind == FAULT_SLOW || result.kind != FAULT_KIND_COUNT)
			continue;
		result.kind = rule->kind;
		result.applied = rule->applied;
	}
	return result;
}

struct event_faults faults_of_event(struct faults *faults, enum operation operation)
{
	struct event_faults result = {0};
	for (size_t i = 0; i < faults->count; i++) {
		struct fault_rule *rule = &faults->rules[i];
		if (!is_of_events(rule->kind) || !concerns(rule, operation) || !fires(rule))
			continue;
		if (rule->kind == FAULT_WEBHOOK_TWICE)
			result.twice = true;
		else if (rule->kind == FAULT_WEBHOOK_FIRST)
			result.first_ms = rule->ms;
		else
			result.late_ms = rule->ms;
	}
	return result;
}
