/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From the words of cloud_init: to the files of a NoCloud disk.
 */
#include "kinds/seed.h"

#include <errno.h>

#include "base/json.h"
#include "host/lvm.h"
#include "host/seed.h"

#define HOSTNAME_MAX 253 /* RFC 1035, 2.3.4 */

static int parse_hostname(struct decode *c, const struct field *f, const char *text,
			  const char **ret, struct err *e)
{
	size_t n = strlen(text);
	bool ok = n > 0 && n <= HOSTNAME_MAX && text[0] != '-' && text[0] != '.';

	for (const char *s = text; ok && *s; s++)
		ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		     (*s >= '0' && *s <= '9') || *s == '-' || *s == '.';
	if (!ok)
		return err_set(e, -EINVAL, "a host name: letters, digits, '-' and '.'");
	*ret = text;
	return 0;
}

static int parse_ssh_key(struct decode *c, const struct field *f, const char *text,
			 const char **ret, struct err *e)
{
	const char *space = strchr(text, ' ');

	if (!space || space == text || !space[1] || strpbrk(text, "\r\n"))
		return err_set(e, -EINVAL, "a public key as in authorized_keys: ssh-ed25519 AAAA…");
	*ret = text;
	return 0;
}

TABLE(cloud_init_table, cloud_init, "cloud_init",
      "What cloud-init in the guest is told at its first boot, on a small disk (NoCloud).",
      {.name = "hostname", .type = FIELD_STRING, .offset = FIELD_AT(cloud_init, hostname),
       .parse = parse_hostname, .flags = FIELD_CONFIG,
       .doc = "the guest's host name; the domain's name when not given"},
      {.name = "ssh_authorized_keys", .type = FIELD_LIST,
       .offset = FIELD_AT(cloud_init, ssh_authorized_keys), .parse = parse_ssh_key,
       .flags = FIELD_CONFIG, .doc = "public keys for the image's default user"},
      {.name = "user_data", .type = FIELD_STRING, .offset = FIELD_AT(cloud_init, user_data),
       .flags = FIELD_CONFIG | FIELD_SECRET | FIELD_FROM_FILE,
       .doc = "user data (#cloud-config … or a script) as text, or {file: PATH}; never printed"},
      {.name = "network_config", .type = FIELD_STRING,
       .offset = FIELD_AT(cloud_init, network_config),
       .flags = FIELD_CONFIG | FIELD_SECRET | FIELD_FROM_FILE,
       .doc = "network configuration, version 1 or 2, as text, or {file: PATH}; cloud-init's own "
	      "(DHCP) when not given"},
      {.name = "vdev", .type = FIELD_STRING, .offset = FIELD_AT(cloud_init, vdev),
       .parse = parse_vdev, .def = "xvdp", .flags = FIELD_CONFIG,
       .doc = "what the guest calls the disk"},
      {.name = "storage", .type = FIELD_STRING, .offset = FIELD_AT(cloud_init, storage),
       .parse = parse_name, .ref = "storage", .flags = FIELD_CONFIG,
       .doc = "where the disk lives; with the domain's first disk when not given"});

const char *seed_text(struct arena *a, const struct cloud_init *c, const char *hostname)
{
	json_object *o = json_object_new_object(), *keys;
	const char *text;

	json_put_text(o, "hostname", c->hostname ? c->hostname : hostname);
	if (c->ssh_authorized_keys.n) {
		keys = json_object_new_array();
		for (size_t i = 0; i < c->ssh_authorized_keys.n; i++)
			json_object_array_add(
				keys, json_object_new_string(c->ssh_authorized_keys.items[i]));
		json_object_object_add(o, "keys", keys);
	}
	json_put_text(o, "user-data", c->user_data);
	json_put_text(o, "network-config", c->network_config);
	text = arena_strdup(a, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return text;
}

int seed_fill(struct arena *a, const char *vg, const char *lv, const char *text,
	      const char *instance, struct err *e)
{
	_cleanup_json_ json_object *o = json_parse(text, strlen(text), e);
	_cleanup_json_ json_object *meta = NULL;
	json_object *keys;
	struct seed_file files[3];
	size_t n = 0;

	if (!o)
		return -EINVAL;
	/* YAML takes JSON as it is. */
	meta = json_object_new_object();
	json_put_text(meta, "instance-id", instance);
	json_put_text(meta, "local-hostname", json_text(o, "hostname"));
	keys = json_list(o, "keys");
	if (keys)
		json_object_object_add(meta, "public-keys", json_object_get(keys));
	files[n++] = (struct seed_file){
		"meta-data", json_object_to_json_string_ext(meta, JSON_C_TO_STRING_PRETTY)};
	files[n++] = (struct seed_file){"user-data", json_text(o, "user-data")
							     ? json_text(o, "user-data")
							     : "#cloud-config\n{}\n"};
	if (json_text(o, "network-config"))
		files[n++] = (struct seed_file){"network-config", json_text(o, "network-config")};
	return seed_write(lvm_path(a, vg, lv), files, n, e);
}
