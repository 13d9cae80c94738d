/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Talking to the resident agent: JSON lines over a unix socket that only root may open. A request is
 * {"verb": "plan" | "apply" | "status", "manifest"? (as in model/manifest_json.h: the agent opens no file
 * for others), "allow"?, "only"?, "confirm"?, "jobs"?}; the answers to
 * the first two are the events of engine/converge.h, and {"confirm": true|false} answers "confirm";
 * {"stop": true} asks it to end after the steps at hand.
 */
#pragma once

#include <json-c/json.h>

#include "base/util.h"

#define AGENT_SOCKET "/run/manor/agent.sock"

struct client;

/* NULL when no agent answers. */
struct client *client_open(void);
void client_send(struct client *c, json_object *o);
/* The next event, the caller's; NULL when the agent is gone. SIGINT and SIGTERM meanwhile send a stop
 * once and set *interrupted. */
json_object *client_receive(struct client *c, bool *interrupted);
void client_close(struct client *c);
/* How the agent fares, the answer to "status": the caller's; NULL when no agent answers. */
json_object *client_status(void);
