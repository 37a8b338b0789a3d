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

static struct lb_slot_lookup slots = { .size = slot_size };

static const char *two_slots(struct lb_slot_lookup *l, uint32_t n)
{
	static const char *const names[] = { "recovery_a", "root", "worn", "recovery_b" };

	return n < 4 ? names[n] : NULL;
}

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

/* Main of two releases would pass for whole: its manifest says nothing of the other slot. */
static void a_release_is_all_of_main(void **state)
{
	struct lb_slot_lookup all = { .size = slot_size, .name = two_slots };
	struct lb_manifest m = manifest();
	struct lb_device d = device();
	struct lb_error err = { 0 };

	assert_int_equal(lb_policy_check(&m, &d, &all, &err), -LB_E_PARTIAL);
	assert_non_null(strstr(err.text, "worn"));
	m.images[1] = m.images[0];
	strcpy(m.images[1].target, "worn");
	m.image_count = 2;
	assert_int_equal(lb_policy_covers(&m, &all, NULL), 0);
	m.images[1].kind = LB_KIND_RECOVERY; /* goes elsewhere, whatever it is called */
	assert_int_equal(lb_policy_covers(&m, &all, NULL), -LB_E_PARTIAL);
}

static void a_recovery_alone_is_accepted_but_is_no_main(void **state)
{
	struct lb_slot_lookup all = { .size = slot_size, .name = two_slots };
	struct lb_manifest m = manifest();
	struct lb_device d = device();

	m.images[0].kind = LB_KIND_RECOVERY;
	m.images[0].recovery_release = 3;
	assert_int_equal(lb_policy_check(&m, &d, &all, NULL), 0);
	assert_int_equal(lb_policy_main_images(&m), 0);
	assert_int_equal(lb_policy_covers(&m, &all, NULL), -LB_E_PARTIAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_accepted),
		cmocka_unit_test(another_product_or_hardware_is_refused),
		cmocka_unit_test(the_floor_and_the_recovery_release_hold),
		cmocka_unit_test(slots_must_exist_and_hold_the_image),
		cmocka_unit_test(kinds_that_cannot_be_written_are_refused),
		cmocka_unit_test(a_release_is_all_of_main),
		cmocka_unit_test(a_recovery_alone_is_accepted_but_is_no_main),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
