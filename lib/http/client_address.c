/* Which addresses the whole Internet can reach: what is left after the IANA special-purpose address
 * registries (RFC 6890, as updated by RFC 8190; state of 2024) and multicast. For IPv6 only
 * 2000::/3 has been given out at all. Addresses that carry an IPv4 address inside are judged by
 * it. */
#include <netinet/in.h>

#include "lib/http/client_internal.h"

struct ipv4_block {
	uint32_t address;
	unsigned prefix;
};

struct ipv6_block {
	uint8_t bytes[8];
	unsigned prefix; /* At most 64. */
};

#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct ipv4_block ipv4_special[] = {
	{IPV4(0, 0, 0, 0), 8},       /* this network */
	{IPV4(10, 0, 0, 0), 8},      /* private */
	{IPV4(100, 64, 0, 0), 10},   /* shared by a carrier's customers */
	{IPV4(127, 0, 0, 0), 8},     /* loopback */
	{IPV4(169, 254, 0, 0), 16},  /* link-local, cloud metadata among them */
	{IPV4(172, 16, 0, 0), 12},   /* private */
	{IPV4(192, 0, 0, 0), 24},    /* protocol assignments */
	{IPV4(192, 0, 2, 0), 24},    /* documentation */
	{IPV4(192, 88, 99, 0), 24},  /* 6to4 relays, withdrawn */
	{IPV4(192, 168, 0, 0), 16},  /* private */
	{IPV4(198, 18, 0, 0), 15},   /* benchmarks */
	{IPV4(198, 51, 100, 0), 24}, /* documentation */
	{IPV4(203, 0, 113, 0), 24},  /* documentation */
	{IPV4(224, 0, 0, 0), 3},     /* multicast, reserved, broadcast */
};

static const struct ipv6_block ipv6_special[] = {
	{{0x20, 0x01, 0x00}, 23},       /* protocol assignments, Teredo among them */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	{{0x3f, 0xff}, 20},             /* documentation */
};

static bool ipv4_is_public(uint32_t address);
static bool ipv6_is_public(const uint8_t bytes[16]);

bool http_address_is_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;
		return ipv4_is_public(ntohl(v4->sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;
		return ipv6_is_public(v6->sin6_addr.s6_addr);
	}
	return false;
}

static bool ipv4_is_public(uint32_t address)
{
	for (size_t i = 0; i < sizeof ipv4_special / sizeof ipv4_special[0]; i++)
		if ((address ^ ipv4_special[i].address) >> (32 - ipv4_special[i].prefix) == 0)
			return false;
	return true;
}

static bool begins_with(const uint8_t bytes[16], const uint8_t *prefix, unsigned bits)
{
	unsigned whole = bits / 8;
	if (memcmp(bytes, prefix, whole) != 0)
		return false;
	return bits % 8 == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - bits % 8) == 0;
}

static uint32_t ipv4_at(const uint8_t *bytes)
{
	return IPV4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

static bool ipv6_is_public(const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	static const uint8_t six_to_four[2] = {0x20, 0x02};
	if (begins_with(bytes, mapped, 96) || begins_with(bytes, nat64, 96))
		return ipv4_is_public(ipv4_at(bytes + 12));
	if (begins_with(bytes, six_to_four, 16))
		return ipv4_is_public(ipv4_at(bytes + 2));
	if ((bytes[0] & 0xE0) != 0x20)
		return false;
	for (size_t i = 0; i < sizeof ipv6_special / sizeof ipv6_special[0]; i++)
		if (begins_with(bytes, ipv6_special[i].bytes, ipv6_special[i].prefix))
			return false;
	return true;
}
