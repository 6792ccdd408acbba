/* The programs that benches start, beside each other, and the folder where they leave their files.
 * Like everything in bench/, what cannot be started ends the bench. */
#pragma once

#include <stdint.h>

#include "lib/testkit/process.h"

enum { SERVER_ARGUMENTS_MAX = 24, SCRATCH_PATH_SIZE = 64 };

struct server {
	struct process process;
	uint16_t port;
};

/* A new folder for logs, certificates and configurations. */
void scratch_open(char path[SCRATCH_PATH_SIZE]);

/* Remove it with all that is in it. */
void scratch_close(const char *path);

/* Write a file of the scratch folder. */
__attribute__((format(printf, 3, 4))) void scratch_write(
	const char *folder, const char *name, const char *format, ...);

/* Run a program to its end, which must be a good one. `arguments` ends with NULL. */
void run_program(const char *const arguments[]);

/* Make the folder's certificate.pem and key.pem, self-signed. */
void scratch_make_certificate(const char *folder);

/* Start a program of the folder where the benches are built, which prints `ready PORT`. The flags
 * end with NULL. */
void server_start(struct server *server, const char *program, const char *const flags[]);

struct nginx_options {
	const char *folder; /* Has certificate.pem, key.pem and www/; gets the configuration. */
	int64_t workers;
	uint16_t port, tls_port;
};

/* Start nginx: /empty returns 204, /json2k is the file www/json2k, on both ports. */
void nginx_start(struct server *server, const struct nginx_options *options);

/* End it and wait for its end. */
void server_stop(struct server *server);
