/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reader "intent": what a person asked for beside the manifest, and the counters of back-off.
 */
#include "host/save.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(intent_domain_table, intent_domain, "intent", "What was asked for of one domain.",
      ROW(intent_domain, uuid, FIELD_STRING, .doc = "The domain's."),
      ROW(intent_domain, boot_id, FIELD_STRING, .doc = "The host's boot that it holds for."),
      ROW(intent_domain, stopped, FIELD_ENUM, .words = intent_stop_words,
	  .doc = "Whether it is to stay down, and who said so."),
      ROW(intent_domain, since, FIELD_INT, .doc = "Since when, seconds since 1970."),
      ROW(intent_domain, digest, FIELD_STRING,
	  .doc = "Of what the manifest said when it stopped from inside."),
      ROW(intent_domain, timeout, FIELD_DURATION, .doc = "For the guest to shut down."),
      ROW(intent_domain, at_once, FIELD_BOOL, .doc = "It isn't asked to shut down at all."),
      ROW(intent_domain, restart_domid, FIELD_INT,
	  .doc = "The domain id that a restart was asked of; 0: none."),
      ROW(intent_domain, paused_domid, FIELD_INT,
	  .doc = "The domain id that it was paused with by hand; 0: it wasn't."),
      ROW(intent_domain, unpaused_domid, FIELD_INT,
	  .doc = "The domain id that it is to go on with; 0: nobody asked."),
      ROW(intent_domain, adopt_domid, FIELD_INT,
	  .doc = "The domain id of somebody else's domain that is to be Manor's; 0: none."),
      ROW(intent_domain, discard_saved, FIELD_BOOL,
	  .doc = "It is to start anew, without what was saved of it."),
      ROW(intent_domain, rebuild, FIELD_BOOL, .doc = "Its clones that are behind are made anew."),
      ROW(intent_domain, crashes, FIELD_INT, .doc = "Crashes in a row."),
      ROW(intent_domain, crashed, FIELD_INT, .doc = "The last one, seconds since 1970."));

TABLE(saved_table, saved_domain, "saved", "What a domain had in memory, kept in a file.",
      ROW(saved_domain, uuid, FIELD_STRING, .doc = "The domain's."),
      ROW(saved_domain, boot_id, FIELD_STRING, .doc = "The host's boot that it ran in."),
      ROW(saved_domain, domid, FIELD_INT, .doc = "The id that it had."),
      ROW(saved_domain, since, FIELD_INT, .doc = "Since when, seconds since 1970."),
      ROW(saved_domain, for_host, FIELD_BOOL, .doc = "Whether it was as the host went down."),
      ROW(saved_domain, domain, FIELD_STRING, .doc = "What it was like, as JSON."),
      ROW(saved_domain, size, FIELD_SIZE, .doc = "Of the file."),
      ROW(saved_domain, whole, FIELD_BOOL, .doc = "Whether it can be restored."),
      ROW(saved_domain, used, FIELD_BOOL, .doc = "Whether there is one that was restored."),
      ROW(saved_domain, failed, FIELD_BOOL, .doc = "Whether there is one that couldn't be."),
      ROW(saved_domain, why, FIELD_STRING, .doc = "Why it can't be understood."));

TABLE(intent_table, intent_facts, "intent", "What was asked for beside the manifest.",
      ROW(intent_facts, domains, FIELD_MAP, .sub = &intent_domain_table, .doc = "By domain."),
      ROW(intent_facts, saved, FIELD_MAP, .sub = &saved_table, .doc = "What is saved, by domain."));

static int read_all(struct arena *a, struct intent_facts *ret, struct err *e)
{
	int r = intent_read(a, ret, e);

	return r < 0 ? r : save_read(a, &ret->saved, e);
}

READER(intent, read_all, intent_table, 30000,
       "Domains that were stopped, saved or are to be restarted, and crashes in a row.");

const struct intent_facts *intent_facts(const struct facts *f)
{
	return facts_get(f, "intent");
}
