/* Faults by command or by a seeded rate: rules that each request and each event is held against.
 * The README says what each of them does. One thread. */
#pragma once

#include <jansson.h>

#include "lib/base/status.h"
#include "tech-two-phase-payments/simulator/parameters.h"

enum fault_kind {
	FAULT_ANSWER_LOST,
	FAULT_TIMEOUT,
	FAULT_ERROR_500,
	FAULT_ERROR_500_STORED,
	FAULT_RATE_LIMITED,
	FAULT_SLOW,
	FAULT_GONE,
	FAULT_WEBHOOK_TWICE,
	FAULT_WEBHOOK_FIRST,
	FAULT_WEBHOOK_OUT_OF_ORDER,
	FAULT_KIND_COUNT,
};

enum { FAULTS_MAX = 64, FAULT_MS_MAX = 24 * 3600 * 1000 };

extern const char *const fault_kind_names[FAULT_KIND_COUNT];

struct fault_rule {
	int64_t id; /* Given by faults_add, from 1. */
	enum fault_kind kind;
	enum operation operation; /* OPERATION_COUNT: any. */
	int64_t after, count;     /* A count of 0: without limit. */
	double rate;
	int64_t seed, ms;
	bool applied;
	int64_t matched, fired;
	int64_t until_ms; /* FAULT_GONE: monotonic. */
};

/* All zero: none. */
struct faults {
	struct fault_rule rules[FAULTS_MAX];
	size_t count;
	int64_t last_id;
};

/* What is to happen to one request. */
struct request_faults {
	enum fault_kind kind; /* FAULT_KIND_COUNT: none but perhaps a delay. */
	bool applied;         /* FAULT_ERROR_500_STORED: done all the same. */
	int64_t delay_ms;
};

/* What is to happen to one event. */
struct event_faults {
	bool twice;
	int64_t first_ms; /* The answer waits for it, at most so long; 0: it does not. */
	int64_t late_ms;  /* It is held back so long. */
};

/* Read a rule from its JSON object. REFUSED with a fault that names the member. */
__attribute__((warn_unused_result)) enum status fault_rule_read(
	const json_t *object, struct fault_rule *rule, struct fault *fault);

/* The JSON of a rule. */
json_t *fault_rule_json(const struct fault_rule *rule);

/* Add a rule and give it its id. REFUSED: there are FAULTS_MAX. */
__attribute__((warn_unused_result)) enum status faults_add(
	struct faults *faults, struct fault_rule *rule, int64_t now_ms, struct fault *fault);

/* Remove the rule with this id; false: there is none. */
bool faults_remove(struct faults *faults, int64_t id);

/* Hold a request against the rules; each that matches counts it. */
struct request_faults faults_of_request(
	struct faults *faults, enum operation operation, int64_t now_ms);

/* Hold an event against the rules. `operation` is the one that made it. */
struct event_faults faults_of_event(struct faults *faults, enum operation operation);

/* Whether the n-th matching request, counted from 0, is hit: depends on the arguments alone. */
bool fault_chance(int64_t seed, int64_t number, double rate);
