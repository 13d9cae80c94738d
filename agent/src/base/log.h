/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages for whoever reads the journal. Libraries log at debug only; errors travel as struct err
 * and are logged once, at the edge.
 */
#pragma once

#include "base/util.h"

enum log_level { LOG_ERROR_ = 3, LOG_WARN_ = 4, LOG_INFO_ = 6, LOG_DEBUG_ = 7 };

void log_init(enum log_level most, bool journal); /* journal: "<6>" prefixes for systemd */
void log_at(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...) log_at(LOG_ERROR_, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN_, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO_, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG_, __VA_ARGS__)
