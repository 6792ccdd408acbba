/* nginx as the rival: the same answers from the same loops, its access log on, and everything that
 * its manual offers for speed. */
#include <unistd.h>

#include "bench/measure.h"
#include "bench/servers.h"
#include "lib/testkit/http_client.h"

static void write_configuration(const struct nginx_options *options);

void nginx_start(struct server *server, const struct nginx_options *options)
{
	enum { START_MS_MAX = 10000 };
	struct http_client client;
	const char *arguments[] = {
		"nginx", "-p", options->folder, "-e", "error.log", "-c", "nginx.conf", NULL};
	/* SIGTERM, so that the master takes its workers along when the bench dies. */
	struct process_options program = {.arguments = arguments, .death_signal = 15};
	write_configuration(options);
	*server = (struct server){.port = options->port};
	if (process_start(&server->process, &program) != STATUS_OK)
		bench_fail("nginx does not start");
	http_client_init(&client, options->port);
	if (http_client_reconnect(&client, START_MS_MAX) != HTTP_CLIENT_OK)
		bench_fail("nginx does not start (tools/setup.sh bench installs it)");
	http_client_release(&client);
}

static void write_configuration(const struct nginx_options *options)
{
	static const char configuration[] =
		"daemon off;\n"
		"%s"
		"pid nginx.pid;\n"
		"worker_processes %lld;\n"
		"worker_rlimit_nofile 20000;\n"
		"events { worker_connections 16000; multi_accept on; }\n"
		"http {\n"
		"	access_log access.log combined buffer=32k flush=1s;\n"
		"	client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;\n"
		"	uwsgi_temp_path tmp; scgi_temp_path tmp;\n"
		"	sendfile on; tcp_nopush on; tcp_nodelay on;\n"
		"	open_file_cache max=100 inactive=600s; open_file_cache_valid 600s;\n"
		"	keepalive_timeout 600s; keepalive_requests 1000000000;\n"
		"	ssl_certificate certificate.pem; ssl_certificate_key key.pem;\n"
		"	ssl_protocols TLSv1.3;\n"
		"	types { }\n"
		"	default_type application/json;\n"
		"	server {\n"
		"		listen 127.0.0.1:%u reuseport backlog=4096;\n"
		"		listen 127.0.0.1:%u ssl reuseport backlog=4096;\n"
		"		location = /empty { return 204; }\n"
		"		location = /json2k { root www; }\n"
		"	}\n"
		"}\n";
	/* Started by root, the workers would be nobody's and could not read the scratch folder. */
	scratch_write(options->folder, "nginx.conf", configuration,
		geteuid() == 0 ? "user root;\n" : "", (long long)options->workers,
		(unsigned)options->port, (unsigned)options->tls_port);
}
