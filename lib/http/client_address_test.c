/* Public addresses and those that a URL from outside must not lead to. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/http/client_fixture.h"
#include "lib/http/client_internal.h"

static bool is_public(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return http_address_is_public((const struct sockaddr *)&v4);
	assert_int_equal(1, inet_pton(AF_INET6, text, &v6.sin6_addr));
	return http_address_is_public((const struct sockaddr *)&v6);
}

static void test_table(void **state)
{
	(void)state;
	static const char *const public[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
		"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
		"192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2606:4700:4700::1111", "2a00:1450:4001::1", "2001:200::1", "2003::1", "3ffe::1",
		"::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"};
	static const char *const special[] = {"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255",
		"100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254",
		"172.16.0.0", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
		"192.168.0.1", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
		"::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1",
		"2001::1", "2001:1ff::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::1",
		"3fff::1", "3fff:fff::1", "fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1",
		"4000::1"};
	for (size_t i = 0; i < sizeof public / sizeof public[0]; i++)
		if (!is_public(public[i]))
			fail_msg("%s is public", public[i]);
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
		if (is_public(special[i]))
			fail_msg("%s is not public", special[i]);
	const struct sockaddr other = {.sa_family = AF_UNIX};
	assert_false(http_address_is_public(&other));
}

/* However loopback is written, nobody is connected to. */
static void test_private_is_refused(void **state)
{
	(void)state;
	static const char *const hosts[] = {"127.0.0.1", "localhost", "0x7f.1", "2130706433",
		"0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"};
	fixture_serve(peer_serve_ok);
	fixture_fetcher((struct http_fetcher_options){.addresses = HTTP_ADDRESSES_PUBLIC});
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		char url[128];
		struct http_fetch fetch = post_root();
		snprintf(url, sizeof url, "http://%s:%u/", hosts[i], fixture.peer.port);
		fetch.url = url;
		fetch.retry = HTTP_RETRY_IDEMPOTENT;
		submit(&fetch);
		collect(&fetch);
		if (fetch.result.outcome != HTTP_FETCH_REFUSED ||
			fetch.result.cause != HTTP_CAUSE_ADDRESS)
			fail_msg("%s: %s/%s %s", hosts[i],
				http_fetch_outcome_name(fetch.result.outcome),
				http_fetch_cause_name(fetch.result.cause), fetch.result.detail);
		assert_int_equal(1, fetch.result.attempts);
	}
	assert_int_equal(0, atomic_load(&fixture.peer.connections));
	assert_int_equal(0, http_fetcher_counts(fixture.fetcher).connections);
}

static void test_private_is_allowed_by_default(void **state)
{
	(void)state;
	fixture_serve(peer_serve_ok);
	struct http_fetch fetch = get_root();
	want_ok(&fetch, "ok");
	http_fetch_release(&fetch);
}

static void test_no_proxy_with_this_policy(void **state)
{
	(void)state;
	struct fault fault = {0};
	struct http_fetcher *fetcher = NULL;
	const struct http_fetcher_options options = {
		.addresses = HTTP_ADDRESSES_PUBLIC, .proxy = HTTP_PROXY_ENVIRONMENT};
	assert_int_equal(STATUS_REFUSED, http_fetcher_open(&options, &fetcher, &fault));
	assert_string_equal("proxy", fault.where);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test_teardown(test_private_is_refused, fixture_end),
		cmocka_unit_test_teardown(test_private_is_allowed_by_default, fixture_end),
		cmocka_unit_test(test_no_proxy_with_this_policy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
