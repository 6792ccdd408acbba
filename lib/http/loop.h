/* The event loops, as server.c opens, starts, stops and closes them. */
#pragma once

#include "lib/http/internal.h"

/* Prepare a loop; http_loop_close must follow, also when this fails. */
__attribute__((warn_unused_result)) enum status http_loop_open(
	struct http_loop *loop, struct http_server *server, size_t index);

__attribute__((warn_unused_result)) enum status http_loop_start(struct http_loop *loop);

/* Ask the loop to end what is idle, answer what is in flight, and leave. Any thread. */
void http_loop_stop(struct http_loop *loop);

/* Wait for its thread to leave. */
void http_loop_join(struct http_loop *loop);

/* Free what it has. Its thread has been waited for, and no other can complete an exchange any more.
 */
void http_loop_close(struct http_loop *loop);

size_t http_loop_unescape(void *context, struct MHD_Connection *mhd, char *text);
