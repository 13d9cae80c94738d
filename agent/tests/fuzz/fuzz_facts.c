/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as what `manor facts` printed elsewhere.
 */
#include "kinds/kinds.h"
#include "model/record_json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_err_ struct err e = {};
	_cleanup_facts_ struct facts *f = NULL;
	json_object *json = json_parse((const char *)data, n, &e);

	if (!json)
		return 0;
	if (facts_from_json(json, all_readers, &f, &e) == 0)
		json_object_put(facts_to_json(f));
	json_object_put(json);
	return 0;
}
