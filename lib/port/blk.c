// SPDX-License-Identifier: GPL-2.0-or-later
#include "port/blk.h"

static bool inside(const struct lb_blk *b, uint64_t offset, uint64_t len)
{
	return offset <= b->size_bytes && len <= b->size_bytes - offset;
}

int lb_blk_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	return inside(b, offset, len) ? b->ops->read(b, offset, buf, len) : -LB_E_INVALID;
}

int lb_blk_read_medium(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	return inside(b, offset, len) ? b->ops->read_medium(b, offset, buf, len) : -LB_E_INVALID;
}

int lb_blk_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	if (b->read_only)
		return -LB_E_READ_ONLY;
	return inside(b, offset, len) ? b->ops->write(b, offset, buf, len) : -LB_E_INVALID;
}

int lb_blk_zero(struct lb_blk *b, uint64_t offset, uint64_t len)
{
	if (b->read_only)
		return -LB_E_READ_ONLY;
	if (!inside(b, offset, len))
		return -LB_E_INVALID;
	return b->ops->zero ? b->ops->zero(b, offset, len) : 0;
}

int lb_blk_flush(struct lb_blk *b)
{
	return b->ops->flush(b);
}

int lb_blk_forget(struct lb_blk *b)
{
	return b->ops->forget ? b->ops->forget(b) : lb_blk_flush(b);
}

int lb_blk_error(const struct lb_blk *b, int code, struct lb_error *err)
{
	if (b->fault.code == -code)
		return lb_error_set(err, -code, "%s", b->fault.text);
	return lb_error_set(err, -code, "slot %s: %s", b->name, lb_error_meaning(code));
}

void lb_blk_close(struct lb_blk *b)
{
	if (b)
		b->ops->close(b);
}
