/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What fits into a pool.
 */
#include "kinds/storage_room.h"

#include "base/num.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage_apply.h"
#include "kinds/storage_pool.h"
#include "kinds/volume.h"

#define MAKE_ROOM                                                                                  \
	"grow it, or remove volumes (tombstones hold their data: manor trash ls lists them)"

static const char *size_text(struct arena *a, uint64_t bytes)
{
	char buf[NUM_TEXT];

	return arena_strdup(a, num_size(buf, bytes));
}

const char *percent_text(struct arena *a, int64_t hundredths)
{
	return arena_printf(a, "%lld.%lld %%", (long long)hundredths / 100,
			    (long long)hundredths % 100 / 10);
}

uint64_t storage_promised(const struct manifest *m, const struct lvm_facts *l, const char *storage,
			  const struct resource **ret_largest)
{
	const struct resource *largest = NULL;
	const struct lvm_lv *base = NULL;
	const char *of = NULL; /* whose base that is */
	uint64_t sum = 0, most = 0;

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct volume *v = r->record;
		uint64_t size;

		if (r->kind != &kind_volume || !v->thin || !streq(v->storage, storage))
			continue;
		/* Clones of one file come one after the other, and by the thousand. */
		if (!v->size && v->base && !streq(v->base, of)) {
			base = lvm_base(l, storage, v->base);
			of = v->base;
		}
		size = v->size ? v->size : v->base && base ? base->size : 0;
		sum += size;
		if (size > most) {
			most = size;
			largest = r;
		}
	}
	*ret_largest = largest;
	return sum;
}

const char *storage_admit(struct arena *a, const struct facts *f, const char *storage,
			  uint64_t bytes)
{
	const struct lvm_lv *pool = storage_pool_of(lvm_facts(f), storage);
	uint64_t used, left;

	if (!pool)
		return NULL;
	if (streq(pool->health, "out_of_data"))
		return arena_printf(a, "pool %s/%s is full; " MAKE_ROOM, storage, STORAGE_POOL);
	if (pool->health)
		return arena_printf(a, "pool %s/%s is unwell: %s", storage, STORAGE_POOL,
				    pool->health);
	if (pool->metadata_percent > METADATA_FULL)
		return arena_printf(a, "the metadata of pool %s/%s is %s full", storage,
				    STORAGE_POOL, percent_text(a, pool->metadata_percent));
	if (pool->data_percent < 0)
		return NULL;
	used = pool->size / 10000 * (uint64_t)pool->data_percent;
	left = pool->size > used ? pool->size - used : 0;
	if (bytes > left)
		return arena_printf(a, "pool %s/%s is %s full: needs %s, has %s free; " MAKE_ROOM,
				    storage, STORAGE_POOL, percent_text(a, pool->data_percent),
				    size_text(a, bytes), size_text(a, left));
	if (pool->data_percent > DATA_FULL)
		return arena_printf(a,
				    "pool %s/%s is %s full, %s of %s free: above %d %% nothing new "
				    "is put into it; " MAKE_ROOM,
				    storage, STORAGE_POOL, percent_text(a, pool->data_percent),
				    size_text(a, left), size_text(a, pool->size), DATA_FULL / 100);
	return NULL;
}

/* As storage_check(), where only the host knows how large the pool is. NULL: fine. */
const char *storage_overcommitted(struct arena *a, const struct manifest *m, const struct facts *f,
				  const char *storage)
{
	const struct resource *r = manifest_find(m, "storage", storage), *largest;
	const struct lvm_lv *pool = storage_pool_of(lvm_facts(f), storage);
	const struct storage *s = r ? r->record : NULL;
	uint64_t most, sum;

	if (!s || !pool)
		return NULL;
	most = pool_promise(&s->pool, pool->size);
	if (most == UINT64_MAX)
		return NULL;
	sum = storage_promised(m, lvm_facts(f), storage, &largest);
	if (sum <= most)
		return NULL;
	return arena_printf(a,
			    "pool %s/%s is promised to more than it may carry: volumes of %s, "
			    "limit %s (pool.overcommit: %s)",
			    storage, STORAGE_POOL, size_text(a, sum), size_text(a, most),
			    s->pool.overcommit);
}
