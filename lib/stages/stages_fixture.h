/* What the tests of lib/stages, and the program that they kill, run as the act of a stage.
 *
 * The "provider" is slow in the way that a remote service is: each job takes the time that its row
 * says, many are under way at once, and each act is recorded in the table `acts` before it begins.
 * What a job's `fault` says goes wrong. */
#pragma once

#include <stdatomic.h>

#include "lib/stages/stages.h"

enum { JOB_FAULT_SIZE = 16, JOB_TEXT_SIZE = 24 };

struct job_row {
	struct stage_row base;
	int64_t act_ms, round;
	char fault[JOB_FAULT_SIZE];
	char answer[JOB_TEXT_SIZE];
	int64_t due_ms;
	struct job_row *next;
};

/* The context of one stage. */
struct provider {
	const char *state; /* "one", "two" or "three". */
	const char *worker;
	struct postgres *pg;   /* Where acts are recorded. */
	struct stage *wakes;   /* Woken when rows were moved; NULL: none. */
	struct job_row *first; /* The jobs under way. */
	int wake_fd;
	atomic_bool lets_go; /* Of jobs whose act has no end of its own. */
	atomic_int waits;    /* How often a job with the fault "wait" is put off. */
	atomic_int under_way;
	atomic_int moved;
	atomic_int reached[STAGE_POINT_COUNT];

	/* At the `count`th time that `point` is reached, this signal is raised. 0: never. */
	enum stage_point point;
	int count;
	int signal;

	/* Instead of a signal. NULL: nothing. */
	void (*on_point)(enum stage_point point);
};

enum provider_form {
	PROVIDER_SUBMITS, /* submit and collect. */
	PROVIDER_ACTS,    /* act, which takes no time. */
};

enum provider_fence {
	PROVIDER_FENCED,
	PROVIDER_UNFENCED, /* The negative control: transitions do not look at the lease token. */
};

/* Fill in a provider for the stage of one state. */
__attribute__((warn_unused_result)) enum status provider_open(
	struct provider *provider, const char *state, const char *worker, const char *url);
void provider_close(struct provider *provider);

/* The options of its stage; the caller changes what it likes. */
struct stage_options provider_options(struct provider *provider, const char *url,
	enum provider_form form, enum provider_fence fence);

/* End the acts that have no end of their own. Any thread. */
void provider_let_go(struct provider *provider);

/* The tables. */
extern const char *const provider_schema;

/* The statements of a stage that takes jobs with the fault "cancel", whatever their state. */
extern const struct stage_sql provider_marked;

/* Counts what must not be: transitions that were made twice or on the strength of another's act. */
extern const char *const provider_judge;
