// SPDX-License-Identifier: GPL-2.0-or-later
/* FITs made and signed by U-Boot's own mkimage, and what must not pass. */
#include "ram_blk.h"

#include <cmocka.h>
#include <libfdt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle/fit.h"

static char dir[] = "/tmp/lb-fit-XXXXXX";

/* mkimage, openssl and dtc: each variant is one FIT in the folder */
static const char make_fits[] =
	"set -eu; cd \"$1\"\n"
	"head -c 100003 /dev/urandom >kernel; head -c 70001 /dev/urandom >ramdisk\n"
	"head -c 30000 /dev/urandom >small\n"
	"echo '/dts-v1/; / { compatible = \"acme,board\"; };' | dtc -q -O dtb -o board.dtb\n"
	"for k in ours theirs; do openssl req -x509 -newkey rsa:2048 -nodes -days 9999 -batch \\\n"
	"  -subj /CN=$k -keyout $k.key -out $k.crt 2>/dev/null\n"
	"openssl x509 -in $k.crt -noout -pubkey >$k.pub; done\n"
	"openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout >ec.pub 2>/dev/null\n"
	"its() { # KERNEL PADDING KEY HASH\n"
	"cat <<EOF\n"
	"/dts-v1/; / { description = \"t\"; #address-cells = <1>; images {\n"
	"kernel { data = /incbin/(\"$1\"); type = \"kernel\"; arch = \"arm64\"; os = \"linux\";\n"
	" compression = \"none\"; load = <0>; entry = <0>; hash-1 { algo = \"$4\"; }; };\n"
	"fdt { data = /incbin/(\"board.dtb\"); type = \"flat_dt\"; arch = \"arm64\";\n"
	" compression = \"none\"; hash-1 { algo = \"$4\"; }; };\n"
	"ramdisk { data = /incbin/(\"ramdisk\"); type = \"ramdisk\"; arch = \"arm64\"; os = \"linux\";\n"
	" compression = \"none\"; hash-1 { algo = \"$4\"; }; }; };\n"
	"configurations { default = \"conf\"; conf { kernel = \"kernel\"; fdt = \"fdt\";\n"
	" ramdisk = \"ramdisk\"; signature { algo = \"sha256,rsa2048\"; padding = \"$2\";\n"
	" key-name-hint = \"$3\"; sign-images = \"kernel\", \"fdt\", \"ramdisk\"; }; }; }; };\n"
	"EOF\n"
	"}\n"
	"mk() { out=$1; shift; mkimage \"$@\" -f t.its $out >log 2>&1 || { cat log >&2; exit 1; }; }\n"
	"its kernel pss ours sha256 >t.its; mk pss -E -p 0x1000 -k . -r\n"
	"mk offset -E -k . -r; mk unsigned -E -p 0x1000\n"
	"its kernel pkcs-1.5 ours sha256 >t.its; mk pkcs -E -p 0x1000 -k . -r\n"
	"its kernel pss theirs sha256 >t.its; mk foreign -E -p 0x1000 -k . -r\n"
	"its kernel pss ours sha1 >t.its; mk sha1 -E -p 0x1000 -k . -r\n"
	"its kernel pss ours sha256 >t.its; mk embedded -k . -r\n"
	"its small pss ours sha256 | sed 's/\"ramdisk\");/\"board.dtb\");/' >t.its\n"
	"mk small-embedded -k . -r\n"
	"for n in 16 17; do cp small-embedded names-$n\n"
	"fdtput -t s names-$n /configurations/conf kernel $(yes kernel | head -n $n); done\n";

static int make_all(void **state)
{
	char script[64], command[256];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(script, sizeof(script), "%s/make.sh", dir);
	f = fopen(script, "w");
	assert_non_null(f);
	fputs(make_fits, f);
	fclose(f);
	snprintf(command, sizeof(command), "sh %s %s", script, dir);
	return system(command);
}

static int remove_all(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static size_t file_size(const char *name, char path[96])
{
	struct stat st;

	snprintf(path, 96, "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

/* A slot of the FIT and 5000 bytes more. */
static uint64_t load(struct ram_blk *r, const char *name)
{
	char path[96];
	size_t size = file_size(name, path);
	FILE *f = fopen(path, "r");

	ram_init(r, "boot", size + 5000);
	assert_int_equal(fread(r->bytes, 1, size, f), size);
	fclose(f);
	return size;
}

static int check(struct ram_blk *r, uint64_t size)
{
	struct lb_error err = { 0 };
	int code = lb_fit_check(&r->blk, size, &err);

	assert_int_equal(err.code, -code);
	return code;
}

static int check_file(const char *name)
{
	struct ram_blk r;
	uint64_t size = load(&r, name);
	int code = check(&r, size);

	ram_close(&r.blk);
	return code;
}

static int check_key(const char *name, const char *key_name)
{
	mbedtls_pk_context key;
	struct lb_error err = { 0 };
	struct ram_blk r, pem;
	uint64_t size = load(&r, name), pem_size = load(&pem, key_name);
	int code;

	mbedtls_pk_init(&key);
	code = lb_fit_key_parse(pem.bytes, (size_t)pem_size, &key, &err);
	if (!code)
		code = lb_fit_check_signed(&r.blk, size, &key, &err);
	assert_int_equal(err.code, -code);
	mbedtls_pk_free(&key);
	ram_close(&r.blk);
	ram_close(&pem.blk);
	return code;
}

static void what_mkimage_makes_is_accepted(void **state)
{
	assert_int_equal(check_file("pss"), 0);
	assert_int_equal(check_file("pkcs"), 0);
	assert_int_equal(check_file("offset"), 0);
	assert_int_equal(check_file("foreign"), 0); /* whose signature it is: the next test */
	assert_int_equal(check_file("small-embedded"), 0);
}

static void the_signature_is_checked_as_u_boot_does(void **state)
{
	assert_int_equal(check_key("pss", "ours.crt"), 0);
	assert_int_equal(check_key("pss", "ours.pub"), 0);
	assert_int_equal(check_key("pkcs", "ours.pub"), 0);
	assert_int_equal(check_key("offset", "ours.crt"), 0);
	assert_int_equal(check_key("small-embedded", "ours.crt"), 0);
	assert_int_equal(check_key("foreign", "ours.crt"), -LB_E_SIGNATURE);
	assert_int_equal(check_key("foreign", "theirs.crt"), 0);
	assert_int_equal(check_key("unsigned", "ours.crt"), -LB_E_FIT);
	assert_int_equal(check_key("pss", "ec.pub"), -LB_E_UNSUPPORTED);
	assert_int_equal(check_key("pss", "kernel"), -LB_E_FORMAT);
}

static void what_u_boot_would_refuse_is_refused(void **state)
{
	assert_int_equal(check_file("unsigned"), -LB_E_FIT);
	assert_int_equal(check_file("sha1"), -LB_E_FIT);
	assert_int_equal(check_file("embedded"), -LB_E_FIT); /* too large to hold */
	assert_int_equal(check_file("kernel"), -LB_E_FIT);
	assert_int_equal(check_file("board.dtb"), -LB_E_FIT);
}

/* Wherever a signed or hashed byte flips, some check notices; nothing ever crashes. */
static void any_flipped_bit_is_noticed_or_harmless(void **state)
{
	mbedtls_pk_context key;
	struct lb_error err = { 0 };
	struct ram_blk r, pem;
	uint64_t size = load(&r, "pss"), pem_size = load(&pem, "ours.crt");
	uint32_t total = fdt_totalsize(r.bytes), accepted = 0;

	mbedtls_pk_init(&key);
	assert_int_equal(lb_fit_key_parse(pem.bytes, (size_t)pem_size, &key, &err), 0);
	for (uint64_t at = 0; at < size; at += at < total ? 1 : 4999) {
		int code;

		r.bytes[at] ^= 1u << at % 8;
		code = lb_fit_check_signed(&r.blk, size, &key, &err);
		accepted += !code;
		if (at >= 0x1000 && code != -LB_E_FIT)
			fail_msg("data byte %llu may be anything", (unsigned long long)at);
		r.bytes[at] ^= 1u << at % 8;
	}
	/* in the header: version numbers, names and values of unsigned properties, padding */
	assert_true(accepted < total / 3);
	assert_int_equal(lb_fit_check_signed(&r.blk, size, &key, &err), 0);
	mbedtls_pk_free(&key);
	ram_close(&r.blk);
	ram_close(&pem.blk);
}

static int prop_of(const void *fdt, const char *path)
{
	int node = fdt_path_offset(fdt, path);

	assert_true(node >= 0);
	return node;
}

static uint32_t number_of(const void *fdt, const char *path, const char *name)
{
	int len;
	const fdt32_t *value = fdt_getprop(fdt, prop_of(fdt, path), name, &len);

	assert_non_null(value);
	return fdt32_ld(value);
}

static void a_truncated_fit_is_refused(void **state)
{
	struct ram_blk r;
	uint64_t size = load(&r, "pss"), end;

	/* mkimage pads the file behind the last image */
	end = number_of(r.bytes, "/images/ramdisk", "data-position") +
	      number_of(r.bytes, "/images/ramdisk", "data-size");
	assert_true(end <= size && end + 4 > size);
	for (uint64_t len = 0; len < end; len += len < 5000 ? 7 : 997)
		assert_int_equal(check(&r, len), -LB_E_FIT);
	assert_int_equal(check(&r, end - 1), -LB_E_FIT);
	assert_int_equal(check(&r, end), 0);
	ram_close(&r.blk);
}

static void places_outside_of_the_image_are_refused(void **state)
{
	static const uint32_t bad[] = { 0xffffffff, 0x7fffffff, 200000, 0xfffff000 };
	static const char *const props[] = { "data-position", "data-size" };
	struct ram_blk r;
	uint64_t size = load(&r, "pss");

	for (size_t p = 0; p < 2; p++) {
		int node = prop_of(r.bytes, "/images/kernel");
		uint32_t old = number_of(r.bytes, "/images/kernel", props[p]);

		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			assert_int_equal(fdt_setprop_inplace_u32(r.bytes, node, props[p], bad[i]), 0);
			assert_int_equal(check(&r, size), -LB_E_FIT);
		}
		assert_int_equal(fdt_setprop_inplace_u32(r.bytes, node, props[p], old), 0);
	}
	assert_int_equal(check(&r, size), 0);
	ram_close(&r.blk);
}

static void another_kernel_with_its_own_hash_is_not_signed(void **state)
{
	struct ram_blk r;
	uint64_t size = load(&r, "pss");
	uint8_t digest[LB_SHA256_BYTES];
	mbedtls_pk_context key;
	struct lb_error err = { 0 };
	struct ram_blk pem;
	uint64_t pem_size = load(&pem, "ours.crt");
	uint32_t at = number_of(r.bytes, "/images/kernel", "data-position");
	uint32_t bytes = number_of(r.bytes, "/images/kernel", "data-size");
	int node = prop_of(r.bytes, "/images/kernel/hash-1");

	r.bytes[at] ^= 1;
	lb_sha256(r.bytes + at, bytes, digest);
	assert_int_equal(fdt_setprop_inplace(r.bytes, node, "value", digest, sizeof(digest)), 0);
	assert_int_equal(check(&r, size), 0); /* consistent in itself */
	mbedtls_pk_init(&key);
	assert_int_equal(lb_fit_key_parse(pem.bytes, (size_t)pem_size, &key, &err), 0);
	assert_int_equal(lb_fit_check_signed(&r.blk, size, &key, &err), -LB_E_SIGNATURE);
	mbedtls_pk_free(&key);
	ram_close(&r.blk);
	ram_close(&pem.blk);
}

static void images_in_a_list_are_counted(void **state)
{
	assert_int_equal(check_file("names-16"), 0);
	assert_int_equal(check_file("names-17"), -LB_E_FIT);
}

static void an_unreadable_slot_is_an_io_error(void **state)
{
	struct ram_blk r;
	uint64_t size = load(&r, "pss");

	r.fail_reads = true;
	assert_int_equal(check(&r, size), -LB_E_IO);
	ram_close(&r.blk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_mkimage_makes_is_accepted),
		cmocka_unit_test(the_signature_is_checked_as_u_boot_does),
		cmocka_unit_test(what_u_boot_would_refuse_is_refused),
		cmocka_unit_test(any_flipped_bit_is_noticed_or_harmless),
		cmocka_unit_test(a_truncated_fit_is_refused),
		cmocka_unit_test(places_outside_of_the_image_are_refused),
		cmocka_unit_test(another_kernel_with_its_own_hash_is_not_signed),
		cmocka_unit_test(images_in_a_list_are_counted),
		cmocka_unit_test(an_unreadable_slot_is_an_io_error),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}
