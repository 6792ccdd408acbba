/* The public keys as a JWK Set, written and read. */
#include <sodium.h>
#include <stdio.h>

#include "lib/ticketing/base64.h"
#include "lib/ticketing/plan_json.h"
#include "lib/ticketing/ticket_keys.h"

enum { X_TEXT_SIZE = (TICKET_PUBLIC_KEY_SIZE * 4 + 2) / 3 };

static enum status read_keys(
	const struct node *root, struct ticket_key_set *set, struct fault *fault);

json_t *ticket_key_set_json(const struct ticket_key_set *set)
{
	json_t *keys = json_array();
	for (size_t i = 0; i < set->count; i++) {
		const struct ticket_key *key = &set->keys[i];
		char x[X_TEXT_SIZE];
		size_t size = base64_write_url(key->bytes, sizeof key->bytes, x);
		json_t *jwk = json_pack("{s:s, s:s, s:s%, s:s, s:s%}", "kty", "OKP", "crv",
			"Ed25519", "kid", key->kid, key->kid_size, "use", "sig", "x", x, size);
		/* Where one of them is NULL, it fails, and so does what packs the result. */
		if (json_array_append_new(keys, jwk) != 0) {
			json_decref(keys);
			return NULL;
		}
	}
	return json_pack("{s:o}", "keys", keys);
}

enum status ticket_key_set_read(struct slice json, struct ticket_key_set *set, struct fault *fault)
{
	static const struct json_limits limits = {
		.size_max = TICKET_KEY_SET_SIZE_MAX,
		.depth_max = TICKET_KEY_SET_DEPTH_MAX,
		.containers_max = TICKET_KEY_SET_CONTAINERS_MAX,
		.tokens_max = TICKET_KEY_SET_TOKENS_MAX,
	};
	json_t *tree;
	enum status status = json_tree_load(json, &limits, &tree, fault);
	if (status != STATUS_OK)
		return status;
	const struct node root = {.value = tree};
	*set = (struct ticket_key_set){.count = 0};
	status = read_keys(&root, set, fault);
	json_decref(tree);
	return status;
}

static enum status refuse(const struct node *node, const char *what, struct fault *fault)
{
	char path[sizeof fault->where];
	node_path(node, path, sizeof path);
	return fault_set(fault, path, "%s", what);
}

static struct slice text_of(const struct node *node)
{
	/* The length of what is no string is 0. */
	return (struct slice){
		.data = json_string_value(node->value), .size = json_string_length(node->value)};
}

/* Whether it is a key to check codes with. What is not is for somebody else. */
static bool is_ours(const struct node *jwk)
{
	struct node kty = node_member(jwk, "kty"), crv = node_member(jwk, "crv"),
		    use = node_member(jwk, "use");
	return slice_is(text_of(&kty), "OKP") && slice_is(text_of(&crv), "Ed25519") &&
		(!use.value || slice_is(text_of(&use), "sig"));
}

static enum status read_key(const struct node *jwk, struct ticket_key_set *set, struct fault *fault)
{
	struct node kid = node_member(jwk, "kid"), x = node_member(jwk, "x"),
		    d = node_member(jwk, "d");
	struct slice name = text_of(&kid);
	size_t size;
	if (d.value)
		return refuse(&d, "is a secret, which nobody may see", fault);
	if (!slice_is_id(name, TICKET_KID_SIZE_MAX))
		return refuse(&kid, "must be 1 to 8 URL-safe characters", fault);
	if (ticket_key_find(set, name))
		return refuse(&kid, "is that of an earlier key", fault);
	if (set->count == TICKET_KEYS_MAX)
		return refuse(jwk, "is one key too many", fault);
	struct ticket_key *key = &set->keys[set->count];
	if (!base64_read(BASE64_URL_PLAIN, text_of(&x), key->bytes, sizeof key->bytes, &size) ||
		size != sizeof key->bytes)
		return refuse(&x, "must be 32 bytes in base64url without padding", fault);
	if (!crypto_core_ed25519_is_valid_point(key->bytes))
		return refuse(&x, "is no public key of Ed25519", fault);
	memcpy(key->kid, name.data, name.size);
	key->kid_size = name.size;
	set->count++;
	return STATUS_OK;
}

_Static_assert(TICKET_KID_SIZE_MAX == 8 && TICKET_PUBLIC_KEY_SIZE == 32, "as the faults say");

static enum status read_keys(
	const struct node *root, struct ticket_key_set *set, struct fault *fault)
{
	struct node keys = node_member(root, "keys");
	if (!json_is_array(keys.value))
		return refuse(&keys, "must be the array of a JWK Set", fault);
	for (size_t i = 0; i < json_array_size(keys.value); i++) {
		struct node jwk = node_element(&keys, i);
		enum status status = is_ours(&jwk) ? read_key(&jwk, set, fault) : STATUS_OK;
		if (status != STATUS_OK)
			return status;
	}
	if (set->count == 0)
		return refuse(&keys, "has no key of Ed25519 for signatures", fault);
	return STATUS_OK;
}
