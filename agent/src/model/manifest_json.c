/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Manifests kept and sent.
 */
#include "model/manifest_json.h"

#include <errno.h>

#include "base/json.h"

json_object *manifest_to_json(const struct manifest *m)
{
	json_object *o = json_object_new_object(), *files = json_object_new_object();
	json_object *included = json_object_new_object();

	json_put_text(o, "name", m->source.name);
	json_put_text(o, "dir", m->dir);
	json_put_text(o, "digest", m->digest);
	json_put_text(o, "host", m->chosen);
	json_object_object_add(o, "text",
			       json_object_new_string_len(m->source.text, (int)m->source.size));
	for (size_t i = 0; i < m->files.n; i++) {
		const struct manifest_file *f = m->files.items[i];

		json_object_object_add(files, f->path,
				       json_object_new_string_len(f->text, (int)f->size));
		if (f->real) {
			json_object *as = json_object_new_object();

			json_put_text(as, "real", f->real);
			json_put_text(as, "name", f->name);
			json_object_object_add(included, f->path, as);
		}
	}
	json_object_object_add(o, "files", files);
	json_object_object_add(o, "included", included);
	return o;
}

int manifest_from_json(json_object *o, const struct who *who, const struct kind *const *kinds,
		       struct diags *d, struct manifest **ret, struct err *e)
{
	json_object *body = json_member(o, "text", json_type_string);
	json_object *files = json_member(o, "files", json_type_object);
	json_object *included = json_member(o, "included", json_type_object);
	const char *name = json_text(o, "name"), *dir = json_text(o, "dir");
	struct list list = {0};

	*ret = NULL;
	if (!name || !dir || !body)
		return err_set(e, -EINVAL, "not a manifest with its name and folder");
	if (files) {
		json_object_object_foreach(files, path, value)
		{
			struct manifest_file *f = arena_alloc(d->arena, sizeof(*f));

			json_object *as = json_member(included, path, json_type_object);

			f->path = path;
			f->text = json_object_get_string(value);
			f->size = f->text ? strlen(f->text) : 0;
			f->real = json_text(as, "real");
			f->name = json_text(as, "name");
			list_add(d->arena, &list, f);
		}
	}
	*ret = manifest_load_text(name, dir, json_object_get_string(body),
				  (size_t)json_object_get_string_len(body), &list, who, kinds, d);
	return 0;
}
