/* Loads a server over HTTP by a process of its own, the program http_load. What cannot be done ends
 * the bench. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct http_load {
	uint16_t port;    /* On 127.0.0.1. */
	const char *join; /* The path to POST distinct people to; NULL: `ask`. */
	const char *ask;  /* The file with requests: see http_load --help. */
	bool again;       /* Begin the file anew at its end, until the time is over. */
	bool places;      /* The requests of the file are joins. */
	int good;         /* The status of a good answer. */
	int64_t connections, depth;
	int64_t count, seconds; /* 0: no limit. */
	int64_t rate, seed;     /* Requests per second of an open loop; 0: a closed loop. */
	int64_t warm_ms;        /* The latencies of what was due so early are left out. */
	const char *keep;       /* The file for what is kept of each good answer; NULL: nothing. */
	const char *member;     /* That member of its body; NULL: placeToken. */
	int64_t mark;           /* Call `on_mark` when so many joins were acknowledged; 0: never. */
	void (*on_mark)(void *context);
	void *context;
};

struct http_load_outcome {
	double good, refused, failed;        /* Answers. */
	double dropped;                      /* Requests of an open loop that were never sent. */
	double seconds;                      /* From the first request to the last answer. */
	double p50_ms, p99_ms;               /* Of the good answers. */
	int64_t largest, distinct, disorder; /* Of places. */
};

void http_load_run(const struct http_load *load, struct http_load_outcome *outcome);

/* Ends the bench unless all joins of a new event were acknowledged and got the places 1..n, each
 * once and in order. */
void http_load_judge_joins(const char *who, const struct http_load_outcome *outcome);
