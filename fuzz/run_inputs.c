/* A main for fuzz targets without libFuzzer: runs the target over each file of the folders that are
 * named, in no particular order. A folder that is not there has no files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

static size_t run_folder(const char *path);
static bool run_file(int folder, const char *name);

int main(int argc, char **argv)
{
	size_t count = 0;
	for (int i = 1; i < argc; i++)
		count += run_folder(argv[i]);
	printf("%zu inputs\n", count);
	/* A target that ran over nothing has proved nothing. */
	return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static size_t run_folder(const char *path)
{
	size_t count = 0;
	DIR *folder = opendir(path);
	if (!folder && errno == ENOENT)
		return 0;
	if (!folder)
		give_up(path);
	for (const struct dirent *entry; (entry = readdir(folder));)
		count += run_file(dirfd(folder), entry->d_name);
	closedir(folder);
	return count;
}

/* Reads into memory of just the file's size, so that the address sanitizer sees a byte too far. */
static bool run_file(int folder, const char *name)
{
	struct stat about;
	int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &about) != 0)
		give_up(name);
	if (!S_ISREG(about.st_mode)) {
		close(file);
		return false;
	}
	size_t size = (size_t)about.st_size;
	uint8_t *data = malloc(size > 0 ? size : 1);
	if (!data || read(file, data, size) != (ssize_t)size)
		give_up(name);
	close(file);
	/* The last name on the standard error is that of the input that failed. */
	fprintf(stderr, "%s\n", name);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return true;
}
