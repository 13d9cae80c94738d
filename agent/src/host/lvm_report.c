/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * LVM's report, from JSON to records. Every value in it is a string, and an empty one means none.
 */
#include "host/lvm_report.h"

#include <errno.h>

#include "base/json.h"

const char lvm_report_options[] =
	"--reportformat json --units b --nosuffix "
	"--configreport vg -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size,vg_tags,vg_partial,"
	"vg_exported "
	"--configreport pv -o pv_name,pv_uuid,vg_name,pv_size,pv_free,pv_missing "
	"--configreport lv -o lv_name,vg_name,lv_uuid,lv_size,lv_tags,lv_active,lv_live_table,"
	"lv_suspended,lv_device_open,lv_permissions,lv_time,origin,pool_lv,data_percent,metadata_percent,lv_metadata_size,"
	"lv_when_full,lv_health_status "
	"--configreport pvseg -o pv_uuid "
	"--configreport seg -o lv_uuid,segtype,transaction_id,thin_id";

#define RECORDS_MAX 100000

static const char *text_of(json_object *row, const char *key)
{
	const char *s = json_text(row, key);

	return s && s[0] ? s : NULL;
}

static const char *copy_of(struct arena *a, json_object *row, const char *key)
{
	return arena_strdup(a, text_of(row, key));
}

static int64_t number_of(json_object *row, const char *key, int64_t none)
{
	const char *s = text_of(row, key);
	char *end;
	long long v;

	if (!s)
		return none;
	errno = 0;
	v = strtoll(s, &end, 10);
	return errno || end == s || *end || v < 0 ? none : v;
}

static uint64_t size_of(json_object *row, const char *key)
{
	return (uint64_t)number_of(row, key, 0);
}

/* "34.50" → 3450. LVM prints percentages with two decimals. */
static int64_t percent_of(json_object *row, const char *key)
{
	const char *s = text_of(row, key);
	int64_t whole = 0, part = 0, scale = 100;

	if (!s || *s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9' && whole <= 1000; s++)
		whole = whole * 10 + (*s - '0');
	if (*s == '.' || *s == ',')
		for (s++; *s >= '0' && *s <= '9' && scale > 1; s++, scale /= 10)
			part = part * 10 + (*s - '0');
	if (*s && (*s < '0' || *s > '9'))
		return -1;
	return whole * 100 + part * scale;
}

static bool flag_of(json_object *row, const char *key)
{
	return text_of(row, key) != NULL;
}

static void tags_of(struct arena *a, json_object *row, const char *key, struct list *ret)
{
	const char *s = text_of(row, key);

	while (s && *s) {
		size_t n = strcspn(s, ",");

		if (n)
			list_add(a, ret, arena_strndup(a, s, n));
		s += n + (s[n] == ',');
	}
}

static void add_vg(struct arena *a, struct lvm_facts *l, json_object *row)
{
	struct lvm_vg *v = arena_alloc(a, sizeof(*v));

	v->name = copy_of(a, row, "vg_name");
	if (!v->name)
		return;
	v->uuid = copy_of(a, row, "vg_uuid");
	v->size = size_of(row, "vg_size");
	v->free = size_of(row, "vg_free");
	v->extent_size = size_of(row, "vg_extent_size");
	v->partial = flag_of(row, "vg_partial");
	v->exported = flag_of(row, "vg_exported");
	tags_of(a, row, "vg_tags", &v->tags);
	list_add(a, &l->vgs, v);
}

static void add_pv(struct arena *a, struct lvm_facts *l, json_object *row)
{
	struct lvm_pv *v = arena_alloc(a, sizeof(*v));

	v->name = copy_of(a, row, "pv_name");
	if (!v->name)
		return;
	v->uuid = copy_of(a, row, "pv_uuid");
	v->vg = copy_of(a, row, "vg_name");
	v->size = size_of(row, "pv_size");
	v->free = size_of(row, "pv_free");
	v->missing = flag_of(row, "pv_missing");
	list_add(a, &l->pvs, v);
}

static void add_lv(struct arena *a, struct lvm_facts *l, json_object *row)
{
	struct lvm_lv *v = arena_alloc(a, sizeof(*v));
	const char *open = text_of(row, "lv_device_open");
	const char *permissions = text_of(row, "lv_permissions");

	v->name = copy_of(a, row, "lv_name");
	v->vg = copy_of(a, row, "vg_name");
	/* LVM's own parts, [pool_tdata] and the like: reported now and then without being asked for. */
	if (!v->name || !v->vg || v->name[0] == '[')
		return;
	v->uuid = copy_of(a, row, "lv_uuid");
	v->pool = copy_of(a, row, "pool_lv");
	v->origin = copy_of(a, row, "origin");
	v->size = size_of(row, "lv_size");
	tags_of(a, row, "lv_tags", &v->tags);
	/* LVM calls active whatever the kernel knows. Where somebody died between making the device and letting
	 * it go on, there is nothing to read of it yet, and no link to it ("lvchange -ay" finishes that). */
	v->active = streq(text_of(row, "lv_active"), "active") &&
		    streq(text_of(row, "lv_live_table"), "live table present") &&
		    !streq(text_of(row, "lv_suspended"), "suspended");
	v->open = streq(open, "open");
	v->readonly = startswith(permissions, "read-only");
	v->created = number_of(row, "lv_time", 0);
	v->thin_id = -1;
	v->data_percent = percent_of(row, "data_percent");
	v->metadata_percent = percent_of(row, "metadata_percent");
	v->metadata_size = size_of(row, "lv_metadata_size");
	v->transaction_id = -1;
	v->kernel_transaction_id = -1;
	v->error_when_full = streq(text_of(row, "lv_when_full"), "error");
	v->health = copy_of(a, row, "lv_health_status");
	list_add(a, &l->lvs, v);
}

/* Segments name their volume by UUID; the first one tells its type. They come after the volumes. */
static void add_seg(struct arena *a, struct lvm_facts *l, json_object *row)
{
	const char *uuid = text_of(row, "lv_uuid");

	for (size_t i = l->lvs.n; uuid && i-- > 0;) {
		struct lvm_lv *v = l->lvs.items[i];

		if (!streq(v->uuid, uuid))
			continue;
		if (!v->type) {
			v->type = copy_of(a, row, "segtype");
			v->transaction_id = number_of(row, "transaction_id", -1);
			v->thin_id = number_of(row, "thin_id", -1);
		}
		return;
	}
}

static int each(struct arena *a, struct lvm_facts *l, json_object *report, const char *key,
		void (*add)(struct arena *a, struct lvm_facts *l, json_object *row))
{
	json_object *rows;
	size_t n;

	if (!json_object_object_get_ex(report, key, &rows))
		return 0;
	if (!json_object_is_type(rows, json_type_array))
		return -EINVAL;
	n = json_object_array_length(rows);
	if (n > RECORDS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		json_object *row = json_object_array_get_idx(rows, i);

		if (!json_object_is_type(row, json_type_object))
			return -EINVAL;
		add(a, l, row);
	}
	return 0;
}

int lvm_report_parse(struct arena *a, const char *json, size_t n, struct lvm_facts *ret,
		     struct err *e)
{
	_cleanup_json_ json_object *root = json_parse(json, n, NULL);
	json_object *reports = json_list(root, "report");
	struct lvm_facts l = {0};
	int rc = reports ? 0 : -EINVAL;

	for (size_t i = 0; i < json_length(reports) && rc == 0; i++) {
		json_object *r = json_object_array_get_idx(reports, i);

		if (!json_object_is_type(r, json_type_object)) {
			rc = -EINVAL;
			break;
		}
		rc = each(a, &l, r, "vg", add_vg);
		rc = rc ? rc : each(a, &l, r, "pv", add_pv);
		rc = rc ? rc : each(a, &l, r, "lv", add_lv);
		rc = rc ? rc : each(a, &l, r, "seg", add_seg);
	}
	if (rc)
		return err_set(e, rc, "LVM's report can't be understood");
	*ret = l;
	return 0;
}
