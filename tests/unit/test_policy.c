// SPDX-License-Identifier: GPL-2.0-or-later
/* Each reason for which a bundle must not be installed here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trust/policy.h"

static struct lb_manifest manifest(void)
{
	struct lb_manifest m = { .release = 10, .min_release = 8, .min_recovery = 2,
				 .product = "gw", .hardware_count = 2, .image_count = 1 };

	strcpy(m.hardware[0], "acme,gw-3");
	strcpy(m.hardware[1], "acme,gw-2");
	strcpy(m.images[0].name, "rootfs");
	strcpy(m.images[0].target, "root");
	m.images[0].size_bytes = 100;
	return m;
}

static struct lb_device device(void)
{
	struct lb_device d = { .product = "gw", .hardware_count = 2, .recovery_release = 2,
			       .floor_release = 10 };

	strcpy(d.hardware[0], "acme,gw-2-special");
	strcpy(d.hardware[1], "acme,gw-2");
	return d;
}

static int slot_size(struct lb_slot_lookup *l, const char *name, uint64_t *ret_bytes)
{
	if (!strcmp(name, "worn"))
		return -LB_E_IO;
	if (!strcmp(name, "rom"))
		return -LB_E_READ_ONLY;
	if (strcmp(name, "root"))
		return -LB_E_NO_SLOT;
	*ret_bytes = 100;
	return 0;
}

static struct lb_slot_lookup slots = { slot_size };

static void refused(const struct lb_manifest *m, const struct lb_device *d, int code)
{
	struct lb_error err = { 0 };

	assert_int_equal(lb_policy_check(m, d, &slots, &err), -code);
	assert_int_equal(err.code, code);
	assert_true(strlen(err.text) > 10);
}

static void what_fits_is_accepted(void **state)
{
	struct lb_manifest m = manifest();
	struct lb_device d = device();

	assert_int_equal(lb_policy_check(&m, &d, &slots, NULL), 0);
	strcpy(m.images[0].target, "elsewhere");
	assert_int_equal(lb_policy_check(&m, &d, NULL, NULL), 0); /* slots unchecked */
}

static void another_product_or_hardware_is_refused(void **state)
{
	struct lb_manifest m = manifest();
	struct lb_device d = device();

	strcpy(d.product, "gw2");
	refused(&m, &d, LB_E_PRODUCT);
	d = device();
	strcpy(d.hardware[1], "acme,gw-20");
	refused(&m, &d, LB_E_HARDWARE);
	d.hardware_count = 0;
	refused(&m, &d, LB_E_HARDWARE);
}

static void the_floor_and_the_recovery_release_hold(void **state)
{
	struct lb_manifest m = manifest();
	struct lb_device d = device();

	d.floor_release = 11;
	refused(&m, &d, LB_E_FLOOR);
	d = device();
	d.recovery_release = 1;
	refused(&m, &d, LB_E_CRITICAL);
}

static void slots_must_exist_and_hold_the_image(void **state)
{
	struct lb_manifest m = manifest();
	struct lb_device d = device();

	m.images[0].size_bytes = 101;
	refused(&m, &d, LB_E_TOO_BIG);
	m = manifest();
	strcpy(m.images[0].target, "rooot");
	refused(&m, &d, LB_E_NO_SLOT);
	strcpy(m.images[0].target, "rom");
	refused(&m, &d, LB_E_READ_ONLY);
	strcpy(m.images[0].target, "worn");
	refused(&m, &d, LB_E_IO);
	m = manifest();
	m.image_count = 2; /* the second image counts too */
	m.images[1] = m.images[0];
	strcpy(m.images[1].target, "data");
	refused(&m, &d, LB_E_NO_SLOT);
}

static void kinds_that_cannot_be_written_are_refused(void **state)
{
	struct lb_manifest m = manifest();
	struct lb_device d = device();

	m.images[0].kind = LB_KIND_FILE;
	refused(&m, &d, LB_E_UNSUPPORTED);
	m.images[0].kind = LB_KIND_UBI;
	refused(&m, &d, LB_E_UNSUPPORTED);
	m.images[0].kind = LB_KIND_FIT;
	assert_int_equal(lb_policy_check(&m, &d, &slots, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_accepted),
		cmocka_unit_test(another_product_or_hardware_is_refused),
		cmocka_unit_test(the_floor_and_the_recovery_release_hold),
		cmocka_unit_test(slots_must_exist_and_hold_the_image),
		cmocka_unit_test(kinds_that_cannot_be_written_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
