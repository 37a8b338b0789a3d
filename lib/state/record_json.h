/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the log and JSON, for records.c only: one line per field, one check at the end. */
#ifndef LB_STATE_RECORD_JSON_H
#define LB_STATE_RECORD_JSON_H

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"
#include "state/log.h"

/* a certificate of LB_CA_MAX bytes with every byte escaped fits */
#define LB_RECORD_JSON_MAX (24u * 1024u)
#define LB_RECORD_NUMBER_MAX ((UINT64_C(1) << 53) - 1)

/* The record of @type as an object; free with cJSON_Delete(). Errors as *_load() in records.h. */
int lb_record_load(struct lb_log *log, uint16_t type, const char *what, cJSON **ret,
		   struct lb_error *err) LB_MUST_CHECK;

/* Reading: an absent field leaves the value, the first failure is kept in @failed. */
struct lb_record_reader {
	const cJSON *obj;
	struct lb_error *err;
	int failed;
};

void lb_record_note(struct lb_record_reader *in, int result);
void lb_record_read_u64(struct lb_record_reader *in, const char *name, uint64_t *v);
void lb_record_read_u32(struct lb_record_reader *in, const char *name, uint32_t *v);
void lb_record_read_time(struct lb_record_reader *in, const char *name, int64_t *v);
void lb_record_read_bool(struct lb_record_reader *in, const char *name, bool *v);
void lb_record_read_str(struct lb_record_reader *in, const char *name, char *v, size_t size);
void lb_record_read_digest(struct lb_record_reader *in, const char *name,
			   uint8_t v[LB_SHA256_BYTES]);

/* Writing: defaults are left out; running out of memory is noted for lb_record_save(). */
struct lb_record_writer {
	cJSON *obj; /* owned until lb_record_save(), which follows in any case */
	bool failed;
};

void lb_record_begin(struct lb_record_writer *out);
/* also when it is 0; @v up to LB_RECORD_NUMBER_MAX, larger ones are stored as that */
void lb_record_add_number(struct lb_record_writer *out, const char *name, uint64_t v);
void lb_record_add_u64(struct lb_record_writer *out, const char *name, uint64_t v);
void lb_record_add_time(struct lb_record_writer *out, const char *name, int64_t v);
void lb_record_add_bool(struct lb_record_writer *out, const char *name, bool v);
void lb_record_add_str(struct lb_record_writer *out, const char *name, const char *v);
void lb_record_add_digest(struct lb_record_writer *out, const char *name,
			  const uint8_t v[LB_SHA256_BYTES]);
/* Puts the record into the log; frees what @out holds. As lb_log_put(), or -LB_E_NOMEM. */
int lb_record_save(struct lb_log *log, uint16_t type, struct lb_record_writer *out,
		   struct lb_error *err) LB_MUST_CHECK;

/* Printable ASCII only? What lb_json_str() would refuse must not be stored. */
bool lb_record_printable(const char *s);
int lb_record_bad_text(const char *name, struct lb_error *err);

#endif
