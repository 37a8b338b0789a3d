// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between start and stop, malloc() and its kin are counted and one of them can be
 * made to fail: how much a hostile input can make a parser allocate, and what it
 * does without memory. Linked with -Wl,--wrap=malloc and so on, so that the third-party
 * libraries are counted too.
 */
#include "fuzz.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *p);

static struct {
	bool on;
	unsigned int left; /* allocations until one fails; 0: none does */
	struct fuzz_alloc sum;
} state;

/* False: this one fails. */
static bool count(size_t bytes)
{
	if (!state.on)
		return true;
	if (state.left && !--state.left) {
		state.sum.failed = true;
		return false;
	}
	state.sum.total_bytes += bytes;
	if (bytes > state.sum.largest_bytes)
		state.sum.largest_bytes = bytes;
	return true;
}

static void *counted(void *p)
{
	if (state.on && p)
		state.sum.balance++;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return count(size) ? counted(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return count(n * size) ? counted(__real_calloc(n, size)) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return count(size) ? counted(__real_aligned_alloc(alignment, size)) : NULL;
}

void *__wrap_realloc(void *p, size_t size)
{
	void *q;

	if (!count(size))
		return NULL;
	q = __real_realloc(p, size);
	return p ? q : counted(q);
}

void __wrap_free(void *p)
{
	if (state.on && p)
		state.sum.balance--;
	__real_free(p);
}

void fuzz_alloc_start(unsigned int fail_nth)
{
	memset(&state, 0, sizeof(state));
	state.left = fail_nth;
	state.on = true;
}

struct fuzz_alloc fuzz_alloc_stop(void)
{
	state.on = false;
	return state.sum;
}
