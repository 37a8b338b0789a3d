// SPDX-License-Identifier: GPL-2.0-or-later
#include "pack_image.h"

#include <fcntl.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A device tree with images and configurations, no longer than its file. */
static bool is_fit(int fd, uint64_t size)
{
	void *fdt;
	bool yes;

	if (size < sizeof(struct fdt_header) || size > INT32_MAX)
		return false;
	fdt = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fdt == MAP_FAILED)
		return false;
	yes = !fdt_check_header(fdt) && fdt_totalsize(fdt) <= size &&
	      !fdt_check_full(fdt, (size_t)size) && fdt_path_offset(fdt, "/images") >= 0 &&
	      fdt_path_offset(fdt, "/configurations") >= 0;
	munmap(fdt, (size_t)size);
	return yes;
}

int pack_image_open(struct pack_image *p, const char *path, struct lb_image *image,
		    struct lb_error *err)
{
	struct stat st;

	*p = (struct pack_image){ .path = path, .image = image };
	p->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (p->fd < 0 || fstat(p->fd, &st))
		return cli_errno(err, path, "read");
	if ((uint64_t)st.st_size != image->size_bytes)
		return lb_error_set(err, LB_E_CHANGED, "%s changed while it was packed", path);
	if ((image->kind == LB_KIND_FIT || image->kind == LB_KIND_RECOVERY) &&
	    !is_fit(p->fd, image->size_bytes))
		return lb_error_set(err, LB_E_FIT, "%s is no flattened image tree (FIT)", path);
	p->index = calloc(1, LB_INDEX_MAX_BYTES);
	return p->index ? 0 : lb_error_set(err, LB_E_NOMEM, "no memory for an index");
}

void pack_image_close(struct pack_image *p)
{
	if (p->fd >= 0 && p->path)
		close(p->fd);
	free(p->index);
	memset(p, 0, sizeof(*p));
}
