// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "limits.h"
#include "order.h"
#include "qmp.h"
#include "uri.h"

/* Each changes what is sent, or when, or waits for its user in the middle. */
static const char *const incompatible[] = {
	"xbzrle", "rdma-pin-all", "compress", "postcopy-ram", "postcopy-preempt", "x-colo", "block",
	"release-ram", "pause-before-switchover", "multifd", "zero-copy-send", "background-snapshot",
	"dirty-limit", "mapped-ram",
};

int order_check(const struct request *request, struct fault *fault)
{
	json_t *arguments = json_object_get(request->object, "arguments"), *value;
	struct uri uri;
	const char *key;

	json_object_foreach(arguments, key, value) {
		if (!strcmp(key, "uri") || !strcmp(key, "detach"))
			continue;
		if (strcmp(key, "blk") && strcmp(key, "inc") && strcmp(key, "resume"))
			return fail(fault, "Parameter '%s' is unexpected", key);
		if (!json_is_false(value))
			return fail(fault, "Parameter '%s' is not compatible with rdmafast: migration",
				    key);
	}
	return uri_parse(json_string_value(json_object_get(arguments, "uri")), &uri, fault);
}

int order_check_capabilities(json_t *list, struct fault *fault)
{
	size_t i;

	for (i = 0; i < sizeof(incompatible) / sizeof(*incompatible); i++)
		if (qmp_has_capability(list, incompatible[i]))
			return fail(fault, "Capability '%s' is not compatible with rdmafast: migration",
				    incompatible[i]);
	return 0;
}

static bool names(const char *uri, const char *option)
{
	const char *at = strchr(uri, '?');
	size_t bytes = strlen(option);

	for (; at; at = strchr(at + 1, '&'))
		if (!strncmp(at + 1, option, bytes) && at[1 + bytes] == '=')
			return true;
	return false;
}

/* What auto-converge allows is what max-slowdown= does. */
static void add_slowdown(json_t *options, const json_t *parameters)
{
	json_int_t most = json_integer_value(json_object_get(parameters, "max-cpu-throttle"));

	if (most < 1 || most > URI_SLOWDOWN_MOST)
		most = URI_SLOWDOWN_MOST;
	json_object_set_new(options, "max-slowdown", json_sprintf("%d", (int)most));
}

json_t *order_options(const char *uri, const json_t *parameters, const json_t *capabilities)
{
	json_t *options = limits_options(parameters, false), *value;
	const char *key;
	void *next;

	if (qmp_has_capability(capabilities, "auto-converge"))
		add_slowdown(options, parameters);
	json_object_foreach_safe(options, next, key, value)
		if (names(uri, key))
			json_object_del(options, key);
	return options;
}
