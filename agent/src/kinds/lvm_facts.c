/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "lvm": volume groups, physical and logical volumes; and looking things up in it.
 */
#include "kinds/lvm_facts.h"

#include "base/num.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(lvm_pv_table, lvm_pv, "physical volume", "A device that LVM uses.",
      ROW(lvm_pv, name, FIELD_STRING, .doc = "device"),
      ROW(lvm_pv, uuid, FIELD_STRING, .doc = "LVM's own form"),
      ROW(lvm_pv, vg, FIELD_STRING, .doc = "volume group; none when not given"),
      ROW(lvm_pv, size, FIELD_SIZE, .doc = "size"),
      ROW(lvm_pv, free, FIELD_SIZE, .doc = "of it free"),
      ROW(lvm_pv, missing, FIELD_BOOL, .doc = "its volume group has it, the host doesn't"));

TABLE(lvm_vg_table, lvm_vg, "volume group", "A volume group.",
      ROW(lvm_vg, name, FIELD_STRING, .doc = "name"),
      ROW(lvm_vg, uuid, FIELD_STRING, .doc = "LVM's own form"),
      ROW(lvm_vg, size, FIELD_SIZE, .doc = "size"),
      ROW(lvm_vg, free, FIELD_SIZE, .doc = "of it free"),
      ROW(lvm_vg, extent_size, FIELD_SIZE, .doc = "what sizes are multiples of"),
      ROW(lvm_vg, tags, FIELD_LIST, .flags = FIELD_UNORDERED, .doc = "tags"),
      ROW(lvm_vg, partial, FIELD_BOOL, .doc = "a device is missing"),
      ROW(lvm_vg, exported, FIELD_BOOL, .doc = "exported: out of use"));

TABLE(lvm_lv_table, lvm_lv, "logical volume", "A logical volume.",
      ROW(lvm_lv, name, FIELD_STRING, .doc = "name"),
      ROW(lvm_lv, vg, FIELD_STRING, .doc = "volume group"),
      ROW(lvm_lv, uuid, FIELD_STRING, .doc = "LVM's own form"),
      ROW(lvm_lv, type, FIELD_STRING, .doc = "of its first segment: thin, thin-pool, linear …"),
      ROW(lvm_lv, pool, FIELD_STRING, .doc = "a thin volume's pool"),
      ROW(lvm_lv, origin, FIELD_STRING, .doc = "what it is a clone of"),
      ROW(lvm_lv, size, FIELD_SIZE, .doc = "size"),
      ROW(lvm_lv, tags, FIELD_LIST, .flags = FIELD_UNORDERED, .doc = "tags"),
      ROW(lvm_lv, active, FIELD_BOOL, .doc = "the kernel has it, and it can be read"),
      ROW(lvm_lv, open, FIELD_BOOL, .doc = "somebody has it open"),
      ROW(lvm_lv, readonly, FIELD_BOOL, .doc = "not writable"),
      ROW(lvm_lv, created, FIELD_INT, .doc = "when, seconds since 1970"),
      ROW(lvm_lv, thin_id, FIELD_INT, .doc = "a thin volume's number in its pool; -1: none"),
      ROW(lvm_lv, data_percent, FIELD_INT, .doc = "mapped, in hundredths of a percent; -1: not known"),
      ROW(lvm_lv, metadata_percent, FIELD_INT,
	  .doc = "a pool's metadata in use, in hundredths of a percent; -1: not known"),
      ROW(lvm_lv, metadata_size, FIELD_SIZE, .doc = "a pool's"),
      ROW(lvm_lv, transaction_id, FIELD_INT, .doc = "as the volume group's metadata says"),
      ROW(lvm_lv, kernel_transaction_id, FIELD_INT,
	  .doc = "as the running pool says; -1: not running"),
      ROW(lvm_lv, error_when_full, FIELD_BOOL, .doc = "a full pool fails writes, queues none"),
      ROW(lvm_lv, health, FIELD_STRING, .doc = "LVM's word for what ails it"));

TABLE(lvm_table, lvm_facts, "lvm", "LVM, as it is.",
      ROW(lvm_facts, vgs, FIELD_LIST, .sub = &lvm_vg_table, .doc = "volume groups"),
      ROW(lvm_facts, pvs, FIELD_LIST, .sub = &lvm_pv_table, .doc = "physical volumes"),
      ROW(lvm_facts, lvs, FIELD_LIST, .sub = &lvm_lv_table, .doc = "logical volumes"));

/* LVM waits for a lock while another command works. */
READER(lvm, lvm_read, lvm_table, 60000, "Volume groups, their devices and volumes.");

const struct lvm_facts *lvm_facts(const struct facts *f)
{
	return facts_get(f, "lvm");
}

const struct lvm_vg *lvm_vg(const struct lvm_facts *l, const char *vg)
{
	for (size_t i = 0; l && i < l->vgs.n; i++) {
		const struct lvm_vg *v = l->vgs.items[i];

		if (streq(v->name, vg))
			return v;
	}
	return NULL;
}

const struct lvm_lv *lvm_lv(const struct lvm_facts *l, const char *vg, const char *lv)
{
	for (size_t i = 0; l && i < l->lvs.n; i++) {
		const struct lvm_lv *v = l->lvs.items[i];

		if (streq(v->vg, vg) && streq(v->name, lv))
			return v;
	}
	return NULL;
}

const char *lvm_tag_value(const struct list *tags, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < tags->n; i++) {
		const char *tag = tags->items[i];

		if (strncmp(tag, key, n) == 0 && tag[n] == '=')
			return tag + n + 1;
	}
	return NULL;
}

const struct lvm_lv *lvm_base(const struct lvm_facts *l, const char *vg, const char *sha256)
{
	for (size_t i = 0; l && i < l->lvs.n; i++) {
		const struct lvm_lv *v = l->lvs.items[i];

		if (streq(v->vg, vg) && startswith(v->name, "base.") &&
		    streq(lvm_tag_value(&v->tags, TAG_BASE), sha256))
			return v;
	}
	return NULL;
}

int64_t lvm_mapped(const struct lvm_lv *lv)
{
	const char *tag = lvm_tag_value(&lv->tags, TAG_MAPPED);
	int64_t bytes;

	if (!lv->pool)
		return (int64_t)lv->size;
	if (lv->data_percent >= 0)
		return (int64_t)(lv->size / 10000 * (uint64_t)lv->data_percent);
	return tag && num_parse_int(tag, 0, INT64_MAX, &bytes) == 0 ? bytes : -1;
}

bool lvm_filling(const struct lvm_lv *lv)
{
	return streq(lvm_tag_value(&lv->tags, TAG_STATE), "filling");
}

const char *lvm_our_id(const struct manifest *m, const char *kind, const char *name,
		       const struct list *tags)
{
	size_t n = strlen(TAG_ID "=");
	char uuid[UUID_TEXT] = "";

	if (!name)
		return NULL;
	if (m && m->namespace)
		ident_uuid(m->namespace, kind, name, uuid);
	/* More than one may be there: another namespace's, and ours of one who had it taken over. */
	for (size_t i = 0; i < tags->n; i++) {
		const char *tag = tags->items[i];

		if (startswith(tag, TAG_ID "=") && (!*uuid || streq(tag + n, uuid)))
			return tag + n;
	}
	return NULL;
}
