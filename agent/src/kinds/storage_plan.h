/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a storage lacks, as steps.
 */
#pragma once

#include "kinds/storage.h"

void storage_decide(struct planning *p, const struct resource *want, const struct actual *have,
		    struct step *step);
