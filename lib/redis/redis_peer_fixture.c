/* The thread that claims to be a Redis server. */
#include "lib/redis/redis_peer_fixture.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK_SIZE = 64 * 1024 };

/* Wait for bytes, whatever they are. False at their end. */
static bool was_asked(int fd)
{
	char bytes[CHUNK_SIZE];
	return recv(fd, bytes, sizeof bytes, 0) > 0;
}

/* False when the connection is to be closed instead. */
static bool say(int fd, const char *answer)
{
	if (answer == NULL || answer[0] == '\0')
		return false;
	return send(fd, answer, strlen(answer), MSG_NOSIGNAL) == (ssize_t)strlen(answer);
}

/* One connection after the other, until the listener is shut down. */
static void *serve(void *context)
{
	struct redis_peer *peer = context;
	const char *const *greeting = peer->greetings, *const *answer = peer->answers;
	int fd;
	while ((fd = accept(peer->listener_fd, NULL, NULL)) >= 0) {
		bool open = was_asked(fd) && say(fd, *greeting) && greeting[1] == NULL;
		if (greeting[1] != NULL)
			greeting++;
		while (open && was_asked(fd)) {
			open = say(fd, *answer);
			if (*answer != NULL)
				answer++;
		}
		(void)close(fd);
	}
	return NULL;
}

void redis_peer_start(struct redis_peer *peer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	peer->listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(peer->listener_fd >= 0);
	int failed = bind(peer->listener_fd, (struct sockaddr *)&address, size) |
		listen(peer->listener_fd, 8) |
		getsockname(peer->listener_fd, (struct sockaddr *)&address, &size);
	assert(failed == 0);
	(void)snprintf(
		peer->url, sizeof peer->url, "redis://127.0.0.1:%u", ntohs(address.sin_port));
	failed = pthread_create(&peer->thread, NULL, serve, peer);
	assert(failed == 0);
}

void redis_peer_stop(struct redis_peer *peer)
{
	(void)shutdown(peer->listener_fd, SHUT_RDWR);
	(void)pthread_join(peer->thread, NULL);
	(void)close(peer->listener_fd);
}
