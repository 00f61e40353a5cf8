/* replay.c - a main for fuzz targets without a fuzzer: every file of each directory
 * (or file) named is one input.  Says how many; a directory that is missing or empty is an error. */
#include "common/base.h"

#include <dirent.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned inputs;

static void
replay_file(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "re");

	if (!f || fstat(fileno(f), &st) != 0)
		exit(EXIT_SYSTEM);
	/* exactly as large as the input, so that reading past its end is noticed */
	uint8_t *p = malloc((size_t)st.st_size + !st.st_size);
	size_t n = p ? fread(p, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	fprintf(stderr, "input %s\n", path);
	LLVMFuzzerTestOneInput(p, n);
	inputs++;
	free(p);
}

static void
replay(const char *path)
{
	char inside[PATH_MAX];
	DIR *d = opendir(path);

	if (!d) {
		replay_file(path);
		return;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL; ) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
		replay_file(inside);
	}
	closedir(d);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%s: %u inputs\n", argv[0], inputs);
	return inputs > 0 ? EXIT_DONE : EXIT_NO;
}
