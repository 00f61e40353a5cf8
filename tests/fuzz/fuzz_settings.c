/* fuzz_settings.c - any file is settings or a message; its first line also serves as an override. */
#include "common/settings.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char path[40], why[256], line[200];
	int fd = memfd_create("settings", 0);

	if (write(fd, p, n) != (ssize_t)n)
		abort();
	snprintf(path, sizeof path, "/dev/fd/%d", fd);
	struct settings *s = settings_read(path, why, sizeof why);
	close(fd);
	if (!s)
		s = settings_read(NULL, why, sizeof why);
	if (span_cstr((struct span){ p, MIN2(n, sizeof line - 1) }, line, sizeof line) &&
	    settings_override(s, "submit", line, why, sizeof why) != 0 && strncmp(why, "-O ", 3) != 0)
		abort();
	settings_free(&s);
	return 0;
}
