// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/hardware.h"

#include "base/json.h"

int lb_hardware_parse(const cJSON *obj, char names[][LB_COMPATIBLE_MAX + 1], uint32_t max,
		      uint32_t *ret_count, struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_need(lb_json_array(obj, "hardware", &list, err), "hardware", err);

	*ret_count = 0;
	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		char *name;

		if (*ret_count == max)
			return lb_error_set(err, LB_E_TOO_BIG, "\"hardware\" has more than %u names",
					    max);
		name = names[*ret_count];
		rc = lb_json_str_of(item, "hardware", name, LB_COMPATIBLE_MAX + 1, err);
		if (rc)
			return rc;
		if (!lb_compatible_valid(name))
			return lb_error_set(err, LB_E_FORMAT, "\"hardware\" has an invalid name");
		++*ret_count;
	}
	return 0;
}
