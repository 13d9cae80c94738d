/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading, asking, locking and writing down, for verbs that destroy.
 */
#include "cli/destroy.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "cli/interrupt.h"
#include "engine/store.h"

int destroy_read(struct facts **f, const struct reader *const *readers, const char *verb)
{
	_cleanup_err_ struct err e = {0};

	facts_free(*f);
	*f = facts_new();
	(*f)->time = time(NULL);
	for (size_t i = 0; readers[i]; i++) {
		void *record = arena_alloc((*f)->arena, readers[i]->table->size);

		if (readers[i]->read((*f)->arena, record, &e) < 0) {
			fprintf(stderr, "manor %s: %s\n", verb, e.message);
			return EXIT_FAILED;
		}
		facts_add_known(*f, readers[i], record);
	}
	return EXIT_FINE;
}

int destroy_confirm(const struct options *o, const char *verb, const char *would,
		    const char *question, void (*show)(const void *data), const void *data)
{
	char line[16];

	if (o->yes)
		return EXIT_FINE;
	if (o->json || !isatty(STDIN_FILENO)) {
		fprintf(stderr,
			"manor %s: this would %s, and nobody can be asked here: say --yes\n", verb,
			would);
		return EXIT_BAD;
	}
	show(data);
	fprintf(stderr, "%s? [y/N] ", question);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y') ? EXIT_FINE
										      : EXIT_FAILED;
}

int destroy_lock_wait(const char *verb, struct err *e)
{
	bool told = false;

	for (;;) {
		_cleanup_err_ struct err own = {0};
		int fd = store_lock(&own);

		if (fd < 0 && fd != -EAGAIN)
			err_move(e, &own);
		if (fd != -EAGAIN)
			return fd;
		if (!told)
			fprintf(stderr, "manor %s: %s: waiting\n", verb, own.message);
		told = true;
		sleep(1);
		if (interrupted())
			return err_set(e, -EINTR, "interrupted");
	}
}

int destroy_lock(const char *verb)
{
	_cleanup_err_ struct err e = {0};
	int fd = destroy_lock_wait(verb, &e);

	if (fd < 0)
		fprintf(stderr, "manor %s: %s\n", verb, e.message);
	return fd;
}

void destroy_journal(json_object *o, const char *event, const struct err *e)
{
	json_put_text(o, "event", event);
	json_put_text(o, "state", e ? "failed" : "destroyed");
	if (e)
		json_put_text(o, "text", e->message);
	json_object_object_add(o, "time", json_object_new_int64(time(NULL)));
	store_journal(o);
	json_object_put(o);
}
