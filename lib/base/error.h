/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One list of reasons for the whole product: what a function returns, what the
 * console, the agent's status and a server are told. A code's name never
 * changes its meaning; new ones are added at the end.
 */
#ifndef LB_BASE_ERROR_H
#define LB_BASE_ERROR_H

#include <stddef.h>

#define LB_MUST_CHECK __attribute__((warn_unused_result))
#define LB_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* X(constant, stable name, what it means to a person) */
#define LB_ERRORS(X)                                                                      \
	X(NOMEM, "out-of-memory", "memory ran out")                                       \
	X(IO, "io-error", "a device or file could not be read or written")                \
	X(INVALID, "invalid-argument", "an argument or setting makes no sense")           \
	X(FORMAT, "malformed", "the data is not in the expected format")                  \
	X(TRUNCATED, "truncated", "the data ends too early")                              \
	X(SIGNATURE, "signature-invalid", "no trusted key signed this")                   \
	X(DIGEST, "digest-mismatch", "the data differs from what was signed")             \
	X(PRODUCT, "wrong-product", "the bundle is for another product")                  \
	X(HARDWARE, "wrong-hardware", "the bundle does not name this hardware")           \
	X(FLOOR, "below-floor", "the release is older than this device accepts")          \
	X(CRITICAL, "unknown-critical-field", "the bundle needs a newer recovery")        \
	X(TOO_BIG, "image-too-large", "an image is larger than its slot")                 \
	X(NO_SLOT, "slot-missing", "a slot that the bundle names does not exist")         \
	X(READ_ONLY, "slot-read-only", "a slot cannot be written")                        \
	X(UNREACHABLE, "source-unreachable", "no source of the bundle could be reached")  \
	X(CERT_UNTRUSTED, "certificate-untrusted", "the server's certificate is not trusted") \
	X(CERT_EXPIRED, "certificate-expired", "the server's certificate has expired")    \
	X(REFUSED, "source-refused", "the server refused the request")                    \
	X(AGAIN, "source-interrupted", "the source does not answer just now")             \
	X(CHANGED, "bundle-changed", "the bundle is not the one that was requested")      \
	X(BUDGET, "over-budget", "the update would fetch more than was allowed")          \
	X(MEDIUM, "medium-worn", "the medium does not keep what is written")              \
	X(NOT_FOUND, "not-found", "it does not exist")                                    \
	X(EXISTS, "already-exists", "it exists already")                                  \
	X(BUSY, "busy", "another operation is under way")                                 \
	X(NO_REMEDY, "remedy-unavailable", "the present release could not be had again")  \
	X(UNSUPPORTED, "unsupported", "this build cannot do that")                        \
	X(NOT_NEWER, "not-newer", "the release is not newer than the installed one")      \
	X(STATE, "state-lost", "the state region held no usable record")                  \
	X(ENV, "environment-lost", "no copy of the boot environment is valid")            \
	X(FIT, "fit-invalid", "the boot image would not be accepted by the bootloader")   \
	X(HEALTH, "health-failed", "a health check of the new release failed")            \
	X(TRIAL, "trial-failed", "the new release did not confirm itself")                \
	X(POWER, "power-lost", "the simulated power is off")                              \
	X(DEV_KEY, "development-key", "a release build refuses development keys")         \
	X(RETRIES, "retries-exhausted", "it failed as often as it may be tried")          \
	X(SELF_UPDATE, "recovery-not-updated", "recovery was not replaced by the one in the bundle")          \
	X(ROLLBACK, "channel-rollback", "the server offers an older list of releases than before") \
	X(PARTIAL, "bundle-incomplete", "the bundle does not hold every part of main") \
	X(CANCELLED, "cancelled", "a person cancelled the update before anything was written")

enum lb_error_code {
	LB_OK = 0,
#define LB_ERROR_ENUM(id, name, text) LB_E_##id,
	LB_ERRORS(LB_ERROR_ENUM)
#undef LB_ERROR_ENUM
	LB_E_COUNT
};

/* What failed, for people: filled by the function that knows the numbers. */
struct lb_error {
	int code; /* LB_E_*, 0 when nothing failed */
	char text[232];
};

/**
 * lb_error_set() - note a failure with its sentence
 * @err: may be NULL, then only the code is passed on
 * @code: one of LB_E_*
 * @fmt: a sentence with a subject and numbers, without a full stop
 *
 * Return: -@code, so that a caller can write `return lb_error_set(...)`.
 */
int lb_error_set(struct lb_error *err, int code, const char *fmt, ...) LB_PRINTF(3, 4);

/* Stable name of LB_E_@code (or -LB_E_*), "ok" for 0, "unknown" for anything else. */
const char *lb_error_name(int code);

/* What the code means, as a sentence without numbers. */
const char *lb_error_meaning(int code);

/* The code that @name stands for, 0 if there is none. */
int lb_error_by_name(const char *name);

#endif
