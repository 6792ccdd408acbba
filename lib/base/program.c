#include "lib/base/program.h"

#include <pthread.h>
#include <signal.h>

int program_configure(const struct config_program *program, int argc, char **argv, int *next)
{
	struct fault fault;
	switch (config_parse(program, argc, argv, next, &fault)) {
	case CONFIG_READY:
		return PROGRAM_READY;
	case CONFIG_HELP:
		return 0;
	case CONFIG_FAULT:
		break;
	}
	fprintf(stderr, "%s: %s: %s\n", program->name, fault.where, fault.what);
	return 2;
}

static sigset_t ending_signals(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	return signals;
}

void program_hold_signals(void)
{
	sigset_t signals = ending_signals();
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int program_wait_signal(void)
{
	sigset_t signals = ending_signals();
	int number = 0;
	sigwait(&signals, &number);
	return number;
}

bool program_is_signaled(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 &&
		(sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}
