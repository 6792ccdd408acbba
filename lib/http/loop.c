/* The event loop: one thread, one MHD daemon, one epoll set. See the design in server.h. */
#include "lib/http/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/http/stream_internal.h"

enum { EVENTS_PER_ROUND = 128, ACCEPTS_PER_ROUND = 64, ACCEPT_PAUSE_MS = 100 };

static void *loop_run(void *context);
static bool loop_round(struct http_loop *loop);
static void loop_accept(struct http_loop *loop);
static void loop_accept_from(struct http_loop *loop, int64_t ms);
static void loop_adopt(struct http_loop *loop, int fd);
static void loop_take_mail(struct http_loop *loop);

enum status http_loop_open(struct http_loop *loop, struct http_server *server, size_t index)
{
	const struct http_server_options *options = &server->options;
	*loop = (struct http_loop){
		.server = server, .index = index, .epoll_fd = -1, .wake_fd = -1, .spare_fd = -1};
	pthread_mutex_init(&loop->mutex, NULL);
	atomic_init(&loop->connection_count, 0);
	http_access_log_open(&loop->log, options->access_log_fd);
	loop->now_ms = http_now_ns() / 1000000;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (index == 0)
		loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, server->tls_certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key},
		{MHD_OPTION_END, 0, NULL},
	};
	unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	loop->mhd = MHD_start_daemon(flags | (server->tls_key ? MHD_USE_TLS : 0u), 0, NULL, NULL,
		http_connection_on_request, loop, MHD_OPTION_NOTIFY_CONNECTION,
		http_connection_on_change, loop, MHD_OPTION_NOTIFY_COMPLETED,
		http_connection_on_request_end, loop, MHD_OPTION_URI_LOG_CALLBACK,
		http_connection_on_target, loop, MHD_OPTION_UNESCAPE_CALLBACK, http_loop_unescape,
		loop, MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->connection_pool_size,
		MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(options->connections_max + HTTP_REFUSAL_CONNECTIONS),
		MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_ARRAY,
		server->tls_key ? tls : &tls[2], MHD_OPTION_END);
	if (loop->epoll_fd < 0 || loop->wake_fd < 0 || !loop->mhd)
		return STATUS_UNAVAILABLE;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	struct epoll_event mhd = {.events = EPOLLIN, .data.ptr = loop->mhd};
	struct epoll_event wake = {.events = EPOLLIN, .data.ptr = &loop->wake_fd};
	struct epoll_event listen = {.events = EPOLLIN, .data.ptr = &server->listen_fd};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &mhd) != 0 ||
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) != 0)
		return STATUS_UNAVAILABLE;
	if (index == 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, server->listen_fd, &listen) != 0)
		return STATUS_UNAVAILABLE;
	return STATUS_OK;
}

enum status http_loop_start(struct http_loop *loop)
{
	loop->started = pthread_create(&loop->thread, NULL, loop_run, loop) == 0;
	return loop->started ? STATUS_OK : STATUS_UNAVAILABLE;
}

static void loop_wake(struct http_loop *loop)
{
	uint64_t one = 1;
	ssize_t written;
	do {
		written = write(loop->wake_fd, &one, sizeof one);
	} while (written < 0 && errno == EINTR);
}

void http_loop_stop(struct http_loop *loop)
{
	atomic_store(&loop->stopping, true);
	loop_wake(loop);
}

void http_loop_join(struct http_loop *loop)
{
	if (loop->started)
		pthread_join(loop->thread, NULL);
	loop->started = false;
}

void http_loop_close(struct http_loop *loop)
{
	assert(!loop->started);
	if (loop->mhd)
		MHD_stop_daemon(loop->mhd);
	while (loop->notice_first) {
		struct http_notice *notice = loop->notice_first;
		loop->notice_first = notice->next;
		http_channel_deliver(loop, notice);
	}
	for (size_t i = 0; i < loop->adopted_count; i++)
		close(loop->adopted_fds[i]);
	free(loop->adopted_fds);
	for (struct http_exchange *exchange = loop->pool, *next; exchange; exchange = next) {
		next = exchange->next;
		buffer_release(&exchange->body);
		arena_release(&exchange->arena);
		free(exchange);
	}
	http_access_log_close(&loop->log);
	if (loop->spare_fd >= 0)
		close(loop->spare_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	pthread_mutex_destroy(&loop->mutex);
}

void http_loop_complete(
	struct http_loop *loop, struct http_exchange *first, struct http_exchange *last)
{
	last->next = NULL;
	pthread_mutex_lock(&loop->mutex);
	bool empty = !loop->completed_first;
	if (empty)
		loop->completed_first = first;
	else
		loop->completed_last->next = first;
	loop->completed_last = last;
	/* Whoever finds the list empty wakes the loop; the others of this burst ride along. It must
	 * be done under the mutex: afterwards the loop may take the exchange on account of another
	 * wake, end, and be freed. */
	if (empty)
		loop_wake(loop);
	pthread_mutex_unlock(&loop->mutex);
}

void http_loop_notify(struct http_loop *loop, struct http_notice *notice)
{
	notice->next = NULL;
	pthread_mutex_lock(&loop->mutex);
	bool first = !loop->notice_first;
	if (first)
		loop->notice_first = notice;
	else
		loop->notice_last->next = notice;
	loop->notice_last = notice;
	if (first)
		loop_wake(loop);
	pthread_mutex_unlock(&loop->mutex);
}

/* Targets are decoded in request.c, segment by segment: MHD would turn %2F into a slash first. */
size_t http_loop_unescape(void *context, struct MHD_Connection *mhd, char *text)
{
	(void)context, (void)mhd;
	return strlen(text);
}

static void *loop_run(void *context)
{
	struct http_loop *loop = context;
	while (loop_round(loop))
		;
	return NULL;
}

static bool phases_are_empty(const struct http_loop *loop)
{
	for (size_t i = 0; i < HTTP_PHASE_COUNT; i++)
		if (loop->phases[i].first)
			return false;
	return true;
}

static int wait_ms(struct http_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG mhd_ms;
	int64_t least = -1;
	if (MHD_get_timeout(loop->mhd, &mhd_ms) == MHD_YES)
		least = mhd_ms > 1000 ? 1000 : (int64_t)mhd_ms;
	int64_t others[] = {http_connections_expire(loop),
		http_access_log_flush(&loop->log, loop->now_ms, HTTP_FLUSH_WHEN_DUE),
		loop->accept_again_ms > 0 ? ACCEPT_PAUSE_MS : -1};
	for (size_t i = 0; i < 3; i++)
		if (others[i] >= 0 && (least < 0 || others[i] < least))
			least = others[i];
	enum { WAIT_MS_MAX = 60000, WAIT_MS_STOPPING = 50 };
	if (atomic_load(&loop->stopping) && (least < 0 || least > WAIT_MS_STOPPING))
		least = WAIT_MS_STOPPING;
	return (int)(least > WAIT_MS_MAX ? WAIT_MS_MAX : least);
}

/* While stopping: end what is idle at once, the rest when its time is up; leave when nothing is
 * left. What workers or handlers have is waited for, since it comes back by itself. */
static bool loop_drain(struct http_loop *loop)
{
	/* The round may have begun long before it was told to stop. */
	if (loop->stopped_ms == 0)
		loop->stopped_ms = http_now_ns() / 1000000;
	bool late = loop->now_ms - loop->stopped_ms > loop->server->options.drain_ms_max;
	for (enum http_phase phase = 0; phase < HTTP_PHASE_COUNT; phase++) {
		bool idle = phase == HTTP_PHASE_IDLE || phase == HTTP_PHASE_HEAD;
		bool stream =
			phase == HTTP_PHASE_STREAM_WAITING || phase == HTTP_PHASE_STREAM_SENDING;
		struct http_connection *connection = loop->phases[phase].first, *next;
		for (; connection && stream; connection = next) {
			/* Ending a waiting stream moves its connection to another phase. */
			next = connection->next;
			http_stream_end(connection->exchange->stream);
		}
		/* A suspended connection must not be cut: MHD would never see it. */
		if (phase == HTTP_PHASE_HANDLING || phase == HTTP_PHASE_STREAM_WAITING ||
			(!idle && !late))
			continue;
		for (connection = loop->phases[phase].first; connection;
			connection = connection->next)
			http_connection_cut(connection);
	}
	return !phases_are_empty(loop);
}

static bool loop_round(struct http_loop *loop)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_ROUND, wait_ms(loop));
	loop->now_ms = http_now_ns() / 1000000;
	if (loop->accept_again_ms > 0 && loop->accept_again_ms <= loop->now_ms)
		loop_accept_from(loop, 0);
	for (int i = 0; i < count; i++) {
		void *what = events[i].data.ptr;
		if (what == &loop->server->listen_fd)
			loop_accept(loop);
		else if (what == &loop->wake_fd)
			loop_take_mail(loop);
		else if (what != loop->mhd)
			http_connection_gone(what);
	}
	MHD_run(loop->mhd);
	http_loop_hand_over(loop);
	return !atomic_load(&loop->stopping) || loop_drain(loop);
}

/* ---- The mailbox ---- */

static void loop_take_mail(struct http_loop *loop)
{
	uint64_t wakes;
	if (read(loop->wake_fd, &wakes, sizeof wakes) < 0)
		return;
	pthread_mutex_lock(&loop->mutex);
	struct http_exchange *exchange = loop->completed_first;
	loop->completed_first = NULL;
	struct http_notice *notice = loop->notice_first;
	loop->notice_first = NULL;
	int *fds = loop->adopted_fds;
	size_t fd_count = loop->adopted_count;
	loop->adopted_fds = NULL;
	loop->adopted_count = loop->adopted_capacity = 0;
	pthread_mutex_unlock(&loop->mutex);
	for (struct http_exchange *next; exchange; exchange = next) {
		next = exchange->next;
		exchange->owner = HTTP_OWNED_BY_LOOP;
		exchange->deferred = true;
		http_connection_enter(exchange->connection, HTTP_PHASE_REPLY);
		MHD_resume_connection(exchange->connection->mhd);
	}
	for (struct http_notice *next; notice; notice = next) {
		next = notice->next;
		http_channel_deliver(loop, notice);
	}
	for (size_t i = 0; i < fd_count; i++)
		loop_adopt(loop, fds[i]);
	free(fds);
}

/* ---- New connections ---- */

static struct http_loop *emptiest_loop(struct http_server *server, size_t *total)
{
	struct http_loop *best = &server->loops[0];
	size_t best_count = SIZE_MAX;
	*total = 0;
	for (size_t i = 0; i < server->options.loop_count; i++) {
		size_t count = atomic_load(&server->loops[i].connection_count);
		*total += count;
		if (count < best_count) {
			best_count = count;
			best = &server->loops[i];
		}
	}
	return best;
}

/* Let MHD of this loop have the connection; over the limit, only to be told so. */
static void loop_adopt(struct http_loop *loop, int fd)
{
	size_t total;
	emptiest_loop(loop->server, &total);
	loop->adopting_refused = total > loop->server->options.connections_max;
	struct sockaddr_in address;
	socklen_t size = sizeof address;
	if (getpeername(fd, (struct sockaddr *)&address, &size) != 0) {
		atomic_fetch_sub(&loop->connection_count, 1);
		close(fd);
		return;
	}
	/* On failure MHD has closed the socket, and has reported the end if it reported the start.
	 */
	size_t before = atomic_load(&loop->connection_count);
	if (MHD_add_connection(loop->mhd, fd, (struct sockaddr *)&address, size) != MHD_YES &&
		atomic_load(&loop->connection_count) == before)
		atomic_fetch_sub(&loop->connection_count, 1);
}

static void loop_send_fd(struct http_loop *to, int fd)
{
	bool first = false, kept = false;
	pthread_mutex_lock(&to->mutex);
	if (to->adopted_count == to->adopted_capacity) {
		size_t capacity = to->adopted_capacity ? 2 * to->adopted_capacity : 64;
		int *grown = realloc(to->adopted_fds, capacity * sizeof *grown);
		if (grown) {
			to->adopted_fds = grown;
			to->adopted_capacity = capacity;
		}
	}
	if (to->adopted_count < to->adopted_capacity) {
		first = to->adopted_count == 0;
		to->adopted_fds[to->adopted_count++] = fd;
		kept = true;
	}
	pthread_mutex_unlock(&to->mutex);
	if (first)
		loop_wake(to);
	if (!kept) {
		atomic_fetch_sub(&to->connection_count, 1);
		close(fd);
	}
}

/* Look at the listening socket from then on; 0: at once. */
static void loop_accept_from(struct http_loop *loop, int64_t ms)
{
	struct epoll_event event = {
		.events = ms > 0 ? 0 : EPOLLIN, .data.ptr = &loop->server->listen_fd};
	loop->accept_again_ms = ms;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->server->listen_fd, &event);
}

/* Out of descriptors: give up the spare one, take the newcomer, and end it, so that it does not
 * wait in the backlog for ever and the loop does not spin. */
static void loop_refuse_without_fd(struct http_loop *loop)
{
	if (loop->spare_fd >= 0)
		close(loop->spare_fd);
	int fd = accept4(loop->server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else /* Somebody else was quicker. The newcomer stays readable, at which we would spin. */
		loop_accept_from(loop, loop->now_ms + ACCEPT_PAUSE_MS);
	loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_warning("http.out_of_descriptors");
}

static void loop_accept(struct http_loop *loop)
{
	struct http_server *server = loop->server;
	for (size_t i = 0; i < ACCEPTS_PER_ROUND; i++) {
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			loop_refuse_without_fd(loop);
		if (fd < 0)
			return;
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		size_t total;
		struct http_loop *to = emptiest_loop(server, &total);
		if (total >= server->options.connections_max + HTTP_REFUSAL_CONNECTIONS) {
			close(fd);
			continue;
		}
		atomic_fetch_add(&to->connection_count, 1);
		if (to == loop)
			loop_adopt(loop, fd);
		else
			loop_send_fd(to, fd);
	}
}
